"""Constraints and indexes of a call's row: rules that no code can break, and an index for each way to find calls."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Left

REASON_INDEXED = 100  # characters of a failure reason

CONSTRAINTS: list[models.BaseConstraint] = [
    models.CheckConstraint(name="call_sid_not_empty", condition=~Q(call_sid="")),
    models.CheckConstraint(name="call_conversation_id_not_empty", condition=~Q(conversation_id="")),
    models.CheckConstraint(name="call_status_known", condition=Q(status__in=["in_progress", "completed", "failed"])),
    models.CheckConstraint(
        name="call_ended_or_in_progress",
        condition=Q(status="in_progress", final_sequence_number__isnull=True)
        | (~Q(status="in_progress") & Q(final_sequence_number__isnull=False)),
    ),
    models.CheckConstraint(
        name="call_final_not_above_last",
        condition=Q(final_sequence_number__isnull=True) | Q(final_sequence_number__lte=F("last_sequence_number")),
    ),
    models.CheckConstraint(
        name="call_duration_not_negative",
        condition=Q(call_duration_seconds__isnull=True) | Q(call_duration_seconds__gte=0),
    ),
]

INDEXES = [
    models.Index(fields=["status", "-id"], name="call_status"),
    models.Index(fields=["driver_id", "-id"], name="call_driver"),
    models.Index(fields=["agent_id", "-id"], name="call_agent"),
    models.Index(fields=["direction", "-id"], name="call_direction"),
    models.Index(fields=["call_successful", "-id"], name="call_successful"),
    models.Index(Coalesce("call_start_time", "created_at"), name="call_started"),
    models.Index(fields=["-call_end_time", "-id"], name="call_ended"),
    models.Index(fields=["-id"], name="call_words_behind", condition=Q(words_behind=True)),
    # For filters of the list of calls. They avoid columns that live turns change: each turn would write all indexes.
    models.Index(
        Left("failure_reason", REASON_INDEXED),
        F("id").desc(),
        name="call_failure_reason",
        condition=~Q(failure_reason=""),
    ),
    models.Index(
        fields=["-id"],
        name="call_heard_nothing",
        condition=Q(final_sequence_number=0) | Q(final_sequence_number__isnull=True),
    ),
    models.Index(fields=["-id"], name="call_reviewed", condition=Q(reviewed_at__isnull=False)),
    models.Index(fields=["-id"], name="call_not_reviewed", condition=Q(reviewed_at__isnull=True)),
]
