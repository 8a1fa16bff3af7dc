"""Renderings of plans, drift, checks and runs: one module per output format; nothing is printed."""
