"""Reviews of calls: the mark, labels and notes. `calls.review_call` is the permission to write, `view_call` to read."""
