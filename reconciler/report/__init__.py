"""Renderings of what a plan, a run and a drift are; one value, many readers, and no printing here."""
