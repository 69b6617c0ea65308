"""Code that exists only for speed, on PostgreSQL. Tests hold its results equal to those of the ordinary way."""
