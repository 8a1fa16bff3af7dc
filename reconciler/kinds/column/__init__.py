"""Columns and their online recipes, one idea in each file."""
