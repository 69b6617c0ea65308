"""The snippets under a row of the list: the words that a search found, with the text around them."""

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

SNIPPETS, BEFORE, AFTER = 3, 60, 140  # snippets per call; characters before and after the first hit
MAX_TURNS, MAX_CHARACTERS = 5_000, 1_000_000  # the most that one page of the list reads
_SPEAKERS = {"agent": "Agent", "user": "Driver", "driver": "Driver"}
_NAMES = {
    **{"driver_id": "Driver", "agent_name": "Agent", "agent_id": "Agent ID", "from_number": "From", "to_number": "To"},
    **{"call_sid": "Call SID", "conversation_id": "Conversation ID", "failure_reason": "Failure"},
}


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a call that search looks in.

    `where`: its title in the list; `anchor`: its place on the call's page, as a URL fragment; `is_said`: whether it
    belongs to the conversation, as a turn or as the summary.
    """

    where: str
    text: str
    anchor: str = ""
    is_said: bool = False


@dataclass(frozen=True, slots=True)
class Snippet:
    """The part of a text around its first hit. `pieces`: pairs of a text and whether it is a hit."""

    where: str
    pieces: list[tuple[str, bool]]
    anchor: str
    is_said: bool


def found_in(calls: Sequence[Call], search: str) -> dict[int, list[Snippet]]:
    """Return the snippets by call key, with secrets masked.

    It reads the final transcripts and summaries of all these calls, but live turns only of calls whose transcript and
    summary lack some of the words. Names and identifiers come last.
    """
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
    """The texts kept for one call: one text with all terms of the search, or texts that each add a missing term."""

    def __init__(self, finder: Finder) -> None:
        self._finder, self.missing = finder, finder.every
        self._kept: list[tuple[Text, list[Hit]]] = []

    def look_at(self, text: Text) -> None:
        if not self.missing and len(self._kept) == 1:
            return  # the kept text has all terms
        shown = redacted(text.text)
        if not self._finder.may_have(shown, self.missing or self._finder.every, all_of_them=not self.missing):
            return  # the text adds no missing term
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
    """Return the text around the first hit, as pairs of a piece and whether it is a hit."""
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
    """Yield the entries of the final transcript, and the summary, of each call, with the call's key.

    Calls are read one by one, because each may have megabytes. The call that exceeds MAX_CHARACTERS is the last.
    """
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
    """Return an entry of the final transcript as a text, with the anchor that the call's page gives it.

    The anchor is the entry's second. Without a second it is the entry's place, or "" if the call has live turns: the
    row may then have the anchor of a live turn.
    """
    role, second = entry.get("role"), second_told(entry.get("time_in_call_secs"))
    by = _SPEAKERS.get(role, "") if isinstance(role, str) else ""
    if second is not None:
        return Text(f"{by or 'Said'} at {clock(second)}", said, f"#t{second}", is_said=True)
    return Text(by or "Said", said, "" if has_live else f"#said-{place}", is_said=True)


def _live_turns(calls: Sequence[Call]) -> Iterator[tuple[int, Text]]:
    """Yield the live turns of calls, up to MAX_TURNS and about MAX_CHARACTERS, with the call's key."""
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
    """Return when each call's clock began, by key, as on its page. One query: the list does not read the metadata."""
    told = KeyTransform("start_time_unix_secs", F("metadata_json"))
    rows = Call.objects.filter(pk__in=[call.pk for call in calls]).order_by().annotate(told=told)
    told_and_known = rows.values_list("pk", "told", "call_start_time")
    return {pk: beginning_of_clock(told, known) for pk, told, known in told_and_known}
