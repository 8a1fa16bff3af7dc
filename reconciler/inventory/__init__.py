"""Targets in groups: where they come from, their variables, and what selects them."""
