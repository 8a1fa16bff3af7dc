"""Indexes, and their online recipes."""
