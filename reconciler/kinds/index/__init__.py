"""Indexes, and online recipes."""
