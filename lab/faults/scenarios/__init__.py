"""One file per promise: `run(site, folder)` breaks something and returns rows of the table, sorted by `ORDER`."""
