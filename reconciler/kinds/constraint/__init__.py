"""Constraints of tables, and online recipes."""
