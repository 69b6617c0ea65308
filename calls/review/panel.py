"""The review of a call as its page shows it: labels, notes and the forms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from calls.call_page.neighbours import FILTERS, list_of
from calls.call_page.turns import Conversation
from calls.models import Call
from calls.models.review import LABEL_MAX_LENGTH
from calls.redaction import redacted
from calls.review.labels import in_use
from calls.review.places import Places, key_of
from calls.review.reviewing import NOTE_MAX_LENGTH
from calls.templatetags.calls import clock


@dataclass(frozen=True, slots=True)
class ShownNote:
    """A note on the page. `at` and `quote`: second and words of its turn, or ""; `placed`: it is shown at the turn."""

    pk: int
    author: str
    written_at: datetime
    text: str
    at: str
    quote: str
    placed: bool
    may_delete: bool


def review_of(call: Call, conversation: Conversation, request: HttpRequest) -> dict[str, Any]:
    """Return the context for the templates of `calls/review`, and add each note to its row. At most three queries."""
    may_review = request.user.has_perm("calls.review_call")
    places, notes = Places(conversation.rows), list[ShownNote]()
    for note in call.review_notes.all():
        row = places.row_of(note)
        shown = ShownNote(
            pk=note.pk,
            author=note.author_name,
            written_at=note.written_at,
            text=redacted(note.text),
            at=clock(note.second),
            quote=redacted(note.words),
            placed=row is not None,
            may_delete=may_review and (request.user.is_superuser or note.author_id == request.user.pk),
        )
        notes.append(shown)
        if row is not None:
            row.notes.append(shown)
    return {
        "may_review": may_review,
        "notes": notes,
        "labels": [(name, redacted(name), list_of({"label": name})) for name in _labels(call)],
        "suggested": in_use(request) if may_review else [],
        "keys": " ".join(map(key_of, conversation.rows)) if may_review else "",
        "url": review_url(call, request),
        "label_max_length": LABEL_MAX_LENGTH,
        "note_max_length": NOTE_MAX_LENGTH,
    }


def _labels(call: Call) -> list[str]:
    return list(call.labels.order_by("name").values_list("name", flat=True))


def review_url(call: Call, request: HttpRequest) -> str:
    """Return the URL to which the forms are sent. It carries the list that the reader came from."""
    filters = request.GET.get(FILTERS, "")
    address = reverse("admin:calls_call_review", args=[call.pk])
    return f"{address}?{urlencode({FILTERS: filters})}" if filters else address
