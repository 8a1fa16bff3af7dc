"""Connect to PostgreSQL servers: capabilities, locks, scratch databases."""
