"""Limits that cannot be beaten with the same server and the same database: they do nothing but the bare work."""
