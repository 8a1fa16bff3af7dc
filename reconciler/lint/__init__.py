"""Lint a database: rules about declared and live objects, each in `rules`, found by folder."""
