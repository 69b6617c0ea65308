"""Code that exists only for speed, on PostgreSQL. Tests check that its results equal those of the ordinary way."""
