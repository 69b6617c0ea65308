"""One figure a file: `measure(stage)` runs it once on every subject, `ROWS` says what the table shows of it."""
