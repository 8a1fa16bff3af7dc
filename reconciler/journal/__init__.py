"""The record of runs in the target: writing, reading, and planning rollbacks."""
