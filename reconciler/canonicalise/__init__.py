"""Canonical states: declared SQL as PostgreSQL prints it after building it on a scratch server."""
