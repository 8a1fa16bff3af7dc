"""Constraints of tables, and their online recipes."""
