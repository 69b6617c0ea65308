"""One file per figure: `measure(stage)` runs it once on every subject, `ROWS` are its rows of the table."""
