"""Declared checks: the model, and the run on a database."""
