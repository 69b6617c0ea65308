"""What a reviewer does with a call. Each is one transaction, and a row of the access log with it."""

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
    """Reviewed, by this user and now. False where it was already, and stays as it was."""

    def change(call: Call) -> str:
        if call.reviewed_at is not None:
            return ""
        call.reviewed_at, call.reviewed_by = timezone.now(), request.user.get_username()
        call.save(update_fields=["reviewed_at", "reviewed_by"])
        return "reviewed"

    return _changed(request, call, change)


def take_back(request: HttpRequest, call: Call) -> bool:
    """Not reviewed any more, whoever had marked it."""

    def change(call: Call) -> str:
        if call.reviewed_at is None:
            return ""
        call.reviewed_at, call.reviewed_by = None, ""
        call.save(update_fields=["reviewed_at", "reviewed_by"])
        return "review taken back"

    return _changed(request, call, change)


def add_labels(request: HttpRequest, call: Call, names: Iterable[str]) -> bool:
    """Those that it has already count for nothing. Raises NotReviewed where it would have too many."""

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
    """A form that is sent twice is one note. Raises NotReviewed."""
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
    """One's own. Superusers delete anybody's."""
    notes = call.review_notes.filter(pk=note_id)
    if not request.user.is_superuser:
        notes = notes.filter(author_id=Visitor.of(request).user_id)
    return _changed(request, call, lambda _: f"note {note_id} deleted" if notes.delete()[0] else "")


def _changed(request: HttpRequest, call: Call, change: Callable[[Call], str]) -> bool:
    """Whether `change`, which says what it did, did something. It gets the call with its row locked.

    Raises Call.DoesNotExist if it is gone, and NotLogged, when nothing is changed.
    """
    with transaction.atomic():
        call = call.locked()
        if done := change(call):
            access_log.note(request, Kind.CHANGE, [Subject.of(call)], done)
        return bool(done)
