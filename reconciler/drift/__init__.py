"""Classify each difference from the declaration by the side that has moved since the last run."""
