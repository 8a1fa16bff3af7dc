"""List targets in groups, with sources, variables and patterns for selection."""
