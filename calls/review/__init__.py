"""Reviewing calls: the mark, labels, and notes on a call or a turn. `calls.review_call` writes, `view_call` reads."""
