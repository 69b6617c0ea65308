"""The words that a search found, in their context: what stands under a row of the list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.fields.json import KeyTransform

from calls.call_clock import beginning_of_clock, second_of, second_told
from calls.models import Call, CallAlias, CallTranscription
from calls.postgres.cursors import kept_cursor
from calls.redaction import redacted
from calls.search.hits import Finder, Hit
from calls.search.terms import asked
from calls.templatetags.calls import clock

SNIPPETS, BEFORE, AFTER = 3, 60, 140  # of a call; characters around the first hit
MAX_TURNS, MAX_CHARACTERS = 5_000, 1_000_000  # that are read for a page
_SPEAKERS = {"agent": "Agent", "user": "Driver", "driver": "Driver"}
_NAMES = {
    **{"driver_id": "Driver", "agent_name": "Agent", "agent_id": "Agent ID", "from_number": "From", "to_number": "To"},
    **{"call_sid": "Call SID", "conversation_id": "Conversation ID", "failure_reason": "Failure"},
}


@dataclass(frozen=True, slots=True)
class Text:
    """What search looks in. `anchor`: where it stands on the call's page; `is_said`: it tells of the conversation."""

    where: str
    text: str
    anchor: str = ""
    is_said: bool = False


@dataclass(frozen=True, slots=True)
class Snippet:
    """`pieces`: texts, and whether each is a hit."""

    where: str
    pieces: list[tuple[str, bool]]
    anchor: str
    is_said: bool


def found_in(calls: Sequence[Call], search: str) -> dict[int, list[Snippet]]:
    """By call. It reads the transcripts of these calls, and live turns where those have not all words."""
    wanted = asked(search.replace("\x00", ""))
    if not wanted.terms or not calls:
        return {}
    finder = Finder(wanted)
    rows = {call.pk: _Row(finder) for call in calls}
    with kept_cursor():
        for pk, text in _transcripts(rows):
            rows[pk].look_at(text)
    if live := [call for call in calls if call.last_sequence_number and rows[call.pk].missing]:
        with kept_cursor():
            for pk, text in _live_turns(live):
                rows[pk].look_at(text)
    for call in calls:
        for name, where in _NAMES.items():
            rows[call.pk].look_at(Text(where, getattr(call, name) or ""))
    if left := [pk for pk, row in rows.items() if row.missing]:
        for pk, name in CallAlias.objects.filter(call__in=left).order_by().values_list("call_id", "name"):
            rows[pk].look_at(Text("Former name", name))
    return {pk: row.snippets() for pk, row in rows.items()}


class _Row:
    """Keeps the texts that have most of the words, each of which adds some."""

    def __init__(self, finder: Finder) -> None:
        self._finder, self.missing = finder, finder.every
        self._kept: list[tuple[Text, list[Hit]]] = []

    def look_at(self, text: Text) -> None:
        if not self.missing and len(self._kept) == 1:
            return  # one text has all
        shown = redacted(text.text)
        if not self._finder.may_have(shown, self.missing or self._finder.every, all_of_them=not self.missing):
            return  # it adds nothing
        if not (hits := self._finder.hits(shown)):
            return
        terms = _terms(hits)
        text = Text(text.where, shown, text.anchor, text.is_said)
        if terms >= self._finder.every:
            self._kept = [(text, hits)]
        elif terms & self.missing:
            self._kept.append((text, hits))
        self.missing -= terms

    def snippets(self) -> list[Snippet]:
        kept = sorted(self._kept, key=lambda one: -len(_terms(one[1])))[:SNIPPETS]
        return [Snippet(text.where, _pieces(text.text, hits), text.anchor, text.is_said) for text, hits in kept]


def _terms(hits: Iterable[Hit]) -> frozenset[int]:
    return frozenset[int]().union(*(hit.terms for hit in hits))


def _pieces(text: str, hits: Sequence[Hit]) -> list[tuple[str, bool]]:
    """The text around the first hit, the hits apart."""
    first = max(0, hits[0].start - BEFORE)
    last = min(len(text), hits[0].end + AFTER)
    if first:
        first = text.find(" ", first, hits[0].start) + 1 or first
    if last < len(text):
        space = text.rfind(" ", hits[0].end, last)
        last = space if space >= 0 else last
    pieces, place = [("… ", False)] if first else [], first
    for hit in hits:
        if hit.end <= last:
            pieces += [(text[place : hit.start], False), (text[hit.start : hit.end], True)]
            place = hit.end
    return [piece for piece in [*pieces, (text[place:last] + (" …" if last < len(text) else ""), False)] if piece[0]]


def _transcripts(keys: Iterable[int]) -> Iterator[tuple[int, Text]]:
    """The final transcripts and summaries of calls, read one by one: each may be megabytes."""
    rows = Call.objects.filter(pk__in=list(keys)).order_by("-pk")
    left = MAX_CHARACTERS
    for call in rows.only("final_transcript", "transcript_summary", "last_sequence_number").iterator(chunk_size=1):
        final = call.final_transcript if isinstance(call.final_transcript, list) else []
        for place, entry in enumerate(final):
            said = entry.get("message") if isinstance(entry, dict) else None
            if isinstance(said, str) and said:
                left -= len(said)
                yield call.pk, _turn(entry, place, said, has_live=bool(call.last_sequence_number))
        yield call.pk, Text("Summary", call.transcript_summary, is_said=True)
        if left < 0:
            return


def _turn(entry: dict[str, Any], place: int, said: str, *, has_live: bool) -> Text:
    """A turn has the name of its second; one without a second that of its place, if no live turn has named it."""
    role, second = entry.get("role"), second_told(entry.get("time_in_call_secs"))
    by = _SPEAKERS.get(role, "") if isinstance(role, str) else ""
    if second is not None:
        return Text(f"{by or 'Said'} at {clock(second)}", said, f"#t{second}", is_said=True)
    return Text(by or "Said", said, "" if has_live else f"#said-{place}", is_said=True)


def _live_turns(calls: Sequence[Call]) -> Iterator[tuple[int, Text]]:
    start = _clocks(calls)
    fields = ("call_id", "sequence_number", "speaker_type", "message_text", "timestamp")
    turns = CallTranscription.objects.filter(call__in=calls).order_by("-call_id", "sequence_number").only(*fields)
    left = MAX_CHARACTERS
    for turn in turns[:MAX_TURNS].iterator():
        by, began = _SPEAKERS[turn.speaker_type], start[turn.call_id]
        second = second_of(turn.timestamp, began)
        at = "" if second is None else f" at {clock(second)}"
        anchor = f"#turn-{turn.sequence_number}" if second is None else f"#t{second}"
        yield turn.call_id, Text(f"{by} live{at}", turn.message_text, anchor, is_said=True)
        left -= len(turn.message_text)
        if left < 0:
            return


def _clocks(calls: Sequence[Call]) -> dict[int, datetime | None]:
    """When the clock of each call began, as its page has it. One query: their metadata is not read with the list."""
    told = KeyTransform("start_time_unix_secs", F("metadata_json"))
    rows = Call.objects.filter(pk__in=[call.pk for call in calls]).order_by().annotate(told=told)
    told_and_known = rows.values_list("pk", "told", "call_start_time")
    return {pk: beginning_of_clock(told, known) for pk, told, known in told_and_known}
