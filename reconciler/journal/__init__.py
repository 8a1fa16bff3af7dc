"""The record of runs in the target, and what is read from it."""
