"""A roll-out: one declaration, several targets, in batches."""
