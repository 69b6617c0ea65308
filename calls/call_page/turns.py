"""The conversation as a call's page shows it: one row per turn, heard live, in the final transcript, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from calls.call_clock import beginning_of_clock, second_of, second_told
from calls.call_page.tools import ShownTool, shown_tool
from calls.conversation import Heard, Row, record_of
from calls.heard_live import sentence_of
from calls.json_values import iso
from calls.models import Call, CallTranscription
from calls.redaction import redacted
from calls.sentences import Sentence, letters
from calls.templatetags.calls import clock, in_zone, named
from calls.tool_calls import tool_calls
from calls.wording import Piece, differences

PAUSE_SECONDS = 30  # a longer silence is shown, as on the live page
_SPEAKERS = {"agent": "Agent", "driver": "Driver", "user": "Driver"}
_LATENCIES = ("convai_llm_service_ttfb", "convai_llm_service_ttf_sentence")
_MEDIA = {"dtmf": "Keypad", "file": "File", "image": "Image"}
LIVE_FIELDS = ("call_id", "sequence_number", "speaker_type", "message_text", "timestamp", "created_at")


@dataclass(slots=True)
class Shown:
    """One row of the conversation. `live` and `said`: the wordings of the live turn and of the final transcript, or "".

    `at`: when it was said, on the call's clock; `time`: the same in CALLS_TIME_ZONE; `iso`: the same in ISO 8601 where
    it does not follow from `at`; `date`: the day, where it changes.
    """

    speaker: str = ""
    by: str = ""
    id: str = ""
    seconds: int | None = None
    at: str = ""
    time: str = ""
    iso: str = ""
    date: str = ""
    moment: datetime | None = None
    live: str = ""
    said: str = ""
    text: str = ""
    pieces: list[Piece] = field(default_factory=list)
    unsaid: str = ""
    heard: str = ""
    marks: list[str] = field(default_factory=list)
    tools: list[ShownTool] = field(default_factory=list)
    pause: str = ""
    goes_on: bool = False
    turn_key: int | None = None
    notes: list[Any] = field(default_factory=list)  # `calls.review.panel` adds them


@dataclass(slots=True)
class Conversation:
    """A call's rows, and the number of rows in which the live turns and the final transcript differ.

    `start_ms`: Unix time of second 0 in milliseconds, None if unknown; `compared`: whether both tellings have speech.
    """

    rows: list[Shown]
    start_ms: int | None
    compared: bool
    reworded: int
    only_live: int
    only_afterwards: int
    last_heard: datetime | None

    @property
    def differs(self) -> bool:
        return bool(self.reworded or self.only_live or self.only_afterwards)


def conversation_of(call: Call, live: Sequence[CallTranscription] | None = None) -> Conversation:
    """Return the conversation of a call, with one query for the live turns; none if `live` has them, in order."""
    if live is None:
        live = list(call.transcriptions.order_by("sequence_number").only(*LIVE_FIELDS))
    final = call.final_transcript if isinstance(call.final_transcript, list) else []
    said = [sentence_of(entry) for entry in final]
    rows = record_of([Sentence(turn.speaker_type, turn.message_text) for turn in live], said)
    compared = bool(live) and any(said)
    spoken = [row for row in rows if row.final is None or said[row.final] is not None]
    count = {heard: sum(row.heard is heard for row in spoken) if compared else 0 for heard in Heard}
    made = _Rows(call, live, redacted(final), compared)
    return Conversation(
        rows=list(_in_sequence(list(made.shown(rows)))),
        start_ms=None if made.start is None else int(made.start.timestamp() * 1000),
        compared=compared,
        reworded=count[Heard.REWORDED],
        only_live=count[Heard.LIVE],
        only_afterwards=count[Heard.AFTERWARDS],
        last_heard=live[-1].created_at if live else None,
    )


class _Rows:
    """Makes the shown rows of one call. Secrets in `final` are masked already."""

    def __init__(self, call: Call, live: Sequence[CallTranscription], final: Any, compared: bool) -> None:
        self.call, self.live, self.compared = call, live, compared
        self.final: list[Any] = final if isinstance(final, list) else []
        self.tools = tool_calls(self.final)
        self.start = _start(call)
        self.day = ""

    def shown(self, rows: Sequence[Row]) -> Iterator[Shown]:
        for row in rows:
            entry = None if row.final is None else self.final[row.final]
            turn = None if row.live is None else self.live[row.live]
            made = self._row(row, turn, entry if isinstance(entry, dict) else {})
            if made.text or made.pieces or made.marks or made.tools:
                self._name(made, row, turn)
                yield made

    def _row(self, row: Row, turn: CallTranscription | None, entry: dict[str, Any]) -> Shown:
        role = turn.speaker_type if turn else entry.get("role")
        speaker = role if isinstance(role, str) and role in _SPEAKERS else "other"
        made = Shown(speaker="driver" if speaker == "user" else speaker, by=_SPEAKERS.get(speaker, ""))
        made.turn_key = turn.pk if turn else None
        made.by = made.by or (named(role) if isinstance(role, str) and role else "Unknown")
        said = entry.get("message")
        said = said if isinstance(said, str) and said.strip() else ""
        made.live, made.said = turn.message_text if turn else "", said
        made.text = said or made.live
        meant = entry.get("original_message")
        known = {letters(said), letters(meant) if isinstance(meant, str) else ""}
        if turn and said and letters(turn.message_text) not in known:
            made.pieces = differences(turn.message_text, said)
        made.unsaid = _unsaid(meant, said)
        made.heard = self._heard(row, turn.message_text if turn else "", said, bool(made.pieces))
        made.marks = list(_marks(entry))
        end = self.call.final_sequence_number
        if turn and end is not None and turn.sequence_number > end:
            made.marks.append("Came after the end")
        made.tools = [shown_tool(tool) for tool in self.tools.get(row.final, [])] if row.final is not None else []
        self._time(made, turn, entry)
        return made

    def _heard(self, row: Row, live: str, said: str, differs: bool) -> str:
        if not self.compared or not (live or said):
            return ""
        if row.heard is Heard.LIVE:
            return "Heard only live"
        if row.heard is Heard.AFTERWARDS:
            return "Only afterwards"
        if row.heard is Heard.REWORDED:
            return "Worded otherwise"
        if not differs:
            return ""
        return "Cut short afterwards" if len(live) > len(said) else "Heard in part"

    def _time(self, made: Shown, turn: CallTranscription | None, entry: dict[str, Any]) -> None:
        made.seconds = second_told(entry.get("time_in_call_secs"))
        moment = turn.timestamp if turn else None
        if made.seconds is not None:
            moment = self._since_start(made.seconds) or moment
        elif moment:
            made.seconds = second_of(moment, self.start)
        made.at = clock(made.seconds) if made.seconds is not None else ""
        made.moment = moment
        if moment is None:
            return
        local = in_zone(moment)
        made.time = f"{local:%H:%M:%S}"
        if self.start is None or made.seconds is None:
            made.iso = iso(moment)
        day = f"{local.day} {local:%b %Y}"
        made.date, self.day = (day if self.day and day != self.day else ""), day

    def _since_start(self, seconds: int) -> datetime | None:
        try:
            return self.start + timedelta(seconds=seconds) if self.start else None
        except OverflowError:  # the start that ElevenLabs sent is at the end of the calendar
            return None

    @staticmethod
    def _name(made: Shown, row: Row, turn: CallTranscription | None) -> None:
        made.id = f"turn-{turn.sequence_number}" if turn else f"said-{row.final}"


def _in_sequence(rows: list[Shown]) -> Iterator[Shown]:
    """Yield the rows with `pause` and `goes_on` set. The first row of each second gets the second as its ID (`t48`)."""
    before: Shown | None = None
    named_seconds: set[int] = set()
    for made in rows:
        if made.seconds is not None and made.seconds not in named_seconds:
            named_seconds.add(made.seconds)
            made.id = f"t{made.seconds}"
        if before and made.seconds is not None and before.seconds is not None:
            pause = made.seconds - before.seconds
            made.pause = f"{_span(pause)} of silence" if pause >= PAUSE_SECONDS else ""
        plain = not (made.heard or made.marks or made.tools or made.pause or made.date)
        made.goes_on = plain and before is not None and before.by == made.by and not before.tools
        before = made
        yield made


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _start(call: Call) -> datetime | None:
    metadata = call.metadata_json
    told = metadata.get("start_time_unix_secs") if isinstance(metadata, dict) else None
    return beginning_of_clock(told, call.call_start_time)


def _unsaid(meant: Any, said: str) -> str:
    """Return the rest of what the agent wanted to say when it was interrupted, without the part that it said."""
    if not isinstance(meant, str) or not meant.strip() or meant.strip() == said.strip():
        return ""
    return meant.removeprefix(said.rstrip(" .…-–")) if said else meant


def _marks(entry: dict[str, Any]) -> Iterator[str]:
    if entry.get("interrupted") is True:
        yield "Interrupted"
    if entry.get("ignored_as_backchannel") is True:
        yield "Backchannel"
    medium, event = entry.get("source_medium"), entry.get("platform_event")
    if isinstance(medium, str) and medium in _MEDIA:
        yield _MEDIA[medium]
    if isinstance(event, str) and event:
        yield named(event)
    feedback = entry.get("feedback")
    score = feedback.get("score") if isinstance(feedback, dict) else None
    if score in ("like", "dislike"):
        yield "Liked" if score == "like" else "Disliked"
    if (latency := _latency(entry.get("conversation_turn_metrics"))) is not None:
        yield f"LLM {latency:.2f} s"


def _latency(metrics: Any) -> float | None:
    """Return how long the model took to begin its answer, in seconds. Newer transcripts nest it one level deeper."""
    inner = metrics.get("metrics", metrics) if isinstance(metrics, dict) else None
    for name in _LATENCIES:
        measured = inner.get(name) if isinstance(inner, dict) else None
        elapsed = measured.get("elapsed_time") if isinstance(measured, dict) else None
        if isinstance(elapsed, int | float) and not isinstance(elapsed, bool) and 0 <= elapsed < 10**6:
            return float(elapsed)
    return None
