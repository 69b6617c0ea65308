"""Details that one page of the list shows beyond the columns of `Call`: one query reads them, for these calls alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Subquery
from django.db.models.fields.json import KeyTransform

from calls.analysis import criteria
from calls.call_page.why import short_why
from calls.models import Call, CallRecording, CallTranscription
from calls.redaction import redacted

CRITERIA = "evaluation_criteria_results"
OF_METADATA = ("body", "error", "termination_reason")  # the keys that `calls.call_page.why` reads
_LAST_TURN = CallTranscription.objects.filter(call=OuterRef("pk"), sequence_number=OuterRef("last_sequence_number"))


@dataclass(frozen=True, slots=True)
class Details:
    """The details of one call. Secrets in `why` are masked."""

    why: str = ""
    has_recording: bool = False
    last_activity: datetime | None = None


def details_of(calls: Sequence[Call]) -> dict[int, Details]:
    """Return the details by call key. One query reads them, and of analysis and metadata only what `why` needs."""
    columns = {
        "has_recording": Exists(CallRecording.objects.filter(call=OuterRef("pk"))),
        "heard_at": Subquery(_LAST_TURN.order_by().values("created_at")[:1]),
        "criteria": KeyTransform(CRITERIA, F("analysis_data")),
        **{name: KeyTransform(name, F("metadata_json")) for name in OF_METADATA},
    }
    rows = Call.objects.filter(pk__in=[call.pk for call in calls]).order_by().values("pk", **columns)
    read: dict[int, dict[str, Any]] = {row["pk"]: {**row} for row in rows}
    return {call.pk: _details(call, read[call.pk]) for call in calls if call.pk in read}


def _details(call: Call, row: dict[str, Any]) -> Details:
    judged = criteria(redacted({CRITERIA: row["criteria"]}))
    metadata = redacted({name: row[name] for name in OF_METADATA})
    moments = (call.call_start_time or call.created_at, row["heard_at"], call.call_end_time)
    return Details(
        why=redacted(short_why(call, metadata, judged)),
        has_recording=row["has_recording"],
        last_activity=max(moment for moment in moments if moment is not None),
    )
