"""The actions of a reviewer. Each is one transaction that also writes a row into the access log.

Each raises Call.DoesNotExist if the call is gone, and NotLogged if the access log cannot be written; then nothing is
changed. Most return whether they changed anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from calls import access_log
from calls.access_log import Kind, Subject, Visitor
from calls.models import Call, CallLabel, ReviewNote
from calls.review.labels import LABELS_OF_CALL
from calls.review.refusals import NotReviewed

NOTES_OF_CALL = 500
NOTE_MAX_LENGTH = 4_000


def mark(request: HttpRequest, call: Call) -> bool:
    """Mark the call as reviewed, by this user and now. A call that is marked already stays as it is; return False."""

    def change(call: Call) -> str:
        if call.reviewed_at is not None:
            return ""
        call.reviewed_at, call.reviewed_by = timezone.now(), request.user.get_username()
        call.save(update_fields=["reviewed_at", "reviewed_by"])
        return "reviewed"

    return _changed(request, call, change)


def take_back(request: HttpRequest, call: Call) -> bool:
    """Remove the mark from the call, whoever set it. Return False if the call has no mark."""

    def change(call: Call) -> str:
        if call.reviewed_at is None:
            return ""
        call.reviewed_at, call.reviewed_by = None, ""
        call.save(update_fields=["reviewed_at", "reviewed_by"])
        return "review taken back"

    return _changed(request, call, change)


def add_labels(request: HttpRequest, call: Call, names: Iterable[str]) -> bool:
    """Add labels to the call; labels that it has already are skipped. Raises NotReviewed if it would have too many."""

    def change(call: Call) -> str:
        known = set(call.labels.values_list("name", flat=True))
        new = [CallLabel(call=call, name=name) for name in names if name not in known]
        if len(known) + len(new) > LABELS_OF_CALL:
            raise NotReviewed(f"A call has at most {LABELS_OF_CALL} labels. Take one off first.")
        CallLabel.objects.bulk_create(new)
        return "label added" if new else ""

    return _changed(request, call, change)


def take_label_off(request: HttpRequest, call: Call, name: str) -> bool:
    return _changed(request, call, lambda call: "label taken off" if call.labels.filter(name=name).delete()[0] else "")


def write_note(request: HttpRequest, call: Call, text: str, place: dict[str, Any]) -> ReviewNote:
    """Write a note at this place (see `place_of`) and return it. A form that is sent twice gives one note.

    Raises NotReviewed for an empty or too long text, and for a call with too many notes.
    """
    text = "\n".join(text.replace("\x00", "").splitlines()).strip()
    if not text:
        raise NotReviewed("Type a note.")
    if len(text) > NOTE_MAX_LENGTH:
        raise NotReviewed(f"A note has at most {NOTE_MAX_LENGTH:,} characters. Make two of it.")
    author = Visitor.of(request)
    written: list[ReviewNote] = []

    def change(call: Call) -> str:
        notes = call.review_notes.filter(author_id=author.user_id, text=text, turn_key=place.get("turn_key"))
        written.extend(notes.filter(words=place.get("words", ""), second=place.get("second"))[:1])
        if written:
            return ""
        if call.review_notes.count() >= NOTES_OF_CALL:
            raise NotReviewed(f"A call has at most {NOTES_OF_CALL} notes.")
        names = {"author_id": author.user_id, "author_name": author.user_name}
        written.append(call.review_notes.create(text=text, **names, **place))
        return f"note {written[0].pk} written"

    _changed(request, call, change)
    return written[0]


def delete_note(request: HttpRequest, call: Call, note_id: int) -> bool:
    """Delete a note that the user wrote; a superuser may delete any note. Return False if there is no such note."""
    notes = call.review_notes.filter(pk=note_id)
    if not request.user.is_superuser:
        notes = notes.filter(author_id=Visitor.of(request).user_id)
    return _changed(request, call, lambda _: f"note {note_id} deleted" if notes.delete()[0] else "")


def _changed(request: HttpRequest, call: Call, change: Callable[[Call], str]) -> bool:
    """Run `change` on the locked call and log what it says it did, in one transaction. Return whether it did anything.

    `change` returns "" if it did nothing. Raises Call.DoesNotExist if the call is gone, and NotLogged if the access log
    cannot be written; then nothing is changed.
    """
    with transaction.atomic():
        call = call.locked()
        if done := change(call):
            access_log.note(request, Kind.CHANGE, [Subject.of(call)], done)
        return bool(done)
