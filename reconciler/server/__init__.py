"""Connections to PostgreSQL servers, and what they are capable of."""
