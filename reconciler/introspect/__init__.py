"""Read pg_catalog into a state."""
