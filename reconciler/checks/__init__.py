"""Checks that people declare: the model, and the run on a database."""
