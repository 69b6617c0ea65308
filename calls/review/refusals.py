"""Why something cannot be written."""

from __future__ import annotations


class NotReviewed(Exception):
    """Nothing was written. The text says to the reviewer why, and what to do."""
