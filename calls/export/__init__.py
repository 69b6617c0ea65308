"""The CSV export of the calls that the list in the admin shows: one row per call, or one row per turn."""
