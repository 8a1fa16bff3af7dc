"""Columns and their online recipes, a file for each idea."""
