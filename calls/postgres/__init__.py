"""What exists only for speed, on PostgreSQL: the same results as the ordinary way, and tests that hold it to them."""
