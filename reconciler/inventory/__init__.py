"""Targets in groups: what they are called, what selects them."""
