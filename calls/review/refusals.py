"""The error for a review that cannot be written."""

from __future__ import annotations


class NotReviewed(Exception):
    """Nothing was written. The text tells the reviewer why, and what to do."""
