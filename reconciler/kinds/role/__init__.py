"""Roles, their memberships and settings, and what the role that applies must be allowed to do."""
