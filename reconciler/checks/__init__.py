"""Declared checks: their model, and running them."""
