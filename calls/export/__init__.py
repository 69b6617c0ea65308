"""The calls that the list in the admin shows, as a CSV file: a row a call, or a row a turn."""
