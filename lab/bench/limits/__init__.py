"""What cannot be beaten with the same server, the same database and nothing in between."""
