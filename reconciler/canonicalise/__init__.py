"""Spell declared objects as PostgreSQL prints them, by building them on the scratch server."""
