"""One file a promise: `run(site, folder)` breaks something and returns rows of the table, in the order of `ORDER`."""
