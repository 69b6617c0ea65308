"""Merging the reviews of two rows that turned out to be one call. Nothing that staff wrote is lost."""

from __future__ import annotations

from calls.models import Call, CallLabel, ReviewNote


def merge_reviews(stays: Call, goes: Call) -> None:
    """Move the notes and labels of `goes` to `stays`, and set the newer mark on `stays`, which the caller saves."""
    ReviewNote.objects.filter(call=goes).update(call=stays)
    if labels := list(CallLabel.objects.filter(call=goes)):
        known = set(stays.labels.values_list("name", flat=True))
        new = [label.pk for label in labels if label.name not in known]
        CallLabel.objects.filter(pk__in=new).update(call=stays)
    if goes.reviewed_at and (stays.reviewed_at is None or stays.reviewed_at < goes.reviewed_at):
        stays.reviewed_at, stays.reviewed_by = goes.reviewed_at, goes.reviewed_by
