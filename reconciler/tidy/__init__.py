"""Spell expressions and queries as people do, where PostgreSQL reads the same."""
