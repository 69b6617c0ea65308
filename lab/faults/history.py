"""The checker: compares what senders did, what subscribers got, and what is stored. Pure functions, no servers.

Each function returns findings, which contradict a promise. An empty list means that this history kept the promise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.faults.journal import entries


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a sender. `key` says what it carries: a turn_id, or the digest of a post-call body.

    `status` is 0 when no answer came; `number` is the turn's number in the answer. A retry has the same key.
    `sent_at` is when the last byte was handed to the kernel; None if it never was.
    """

    call: str
    kind: Literal["turn", "end"]
    key: str
    began_at: float
    ended_at: float
    status: int
    number: int | None = None
    server: int = 0
    sent_at: float | None = None

    @property
    def acknowledged(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Heard:
    """An event at a subscriber.

    `number` is the turn's; for a confirmation, the newest turn that it does not ask for.
    """

    who: str
    call: str
    what: Literal["confirmed", "turn", "call_status", "call_completed", "reset", "lost", "error"]
    at: float
    number: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A call in the database. `turns`: (number, key) by number; `deliveries`: digests of applied post-call webhooks.

    `last` is the number in the call's row; subscribers hear the call up to `final`.
    """

    call: str
    status: str
    last: int
    final: int | None
    turns: Sequence[tuple[int, str]]
    deliveries: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that was not kept, and where."""

    kind: str
    call: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.call}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Hearing:
    """How many messages subscribers had to get and got; the completion pair counts as one message."""

    expected: int
    got: int
    findings: list[Finding]

    @property
    def share(self) -> float:
        return self.got / self.expected if self.expected else 0.0


# --- what senders were told, compared with what is stored ---------------------------------------------------------


def acknowledged_but_missing(attempts: Iterable[Attempt], stored: Iterable[Stored]) -> list[Finding]:
    """Find requests answered 2xx that are not in the database under the number of the answer."""
    calls = {one.call: one for one in stored}
    findings = []
    for sent in attempts:
        if not sent.acknowledged:
            continue
        call = calls.get(sent.call)
        if call is None:
            there = False
        elif sent.kind == "turn":
            there = (sent.number, sent.key) in call.turns
        else:
            there = sent.key in call.deliveries and call.status != "in_progress"
        if not there:
            findings.append(Finding("acknowledged but missing", sent.call, f"{sent.kind} {sent.key} #{sent.number}"))
    return findings


def stored_twice(stored: Iterable[Stored]) -> list[Finding]:
    """Find keys under which more than one turn or delivery is stored."""
    return [
        Finding("stored twice", call.call, key)
        for call in stored
        for keys in ([key for _, key in call.turns], call.deliveries)
        for key, count in Counter(keys).items()
        if count > 1
    ]


def not_one_to_n(stored: Iterable[Stored]) -> list[Finding]:
    """Find calls whose turns are not numbered 1..n, or whose row does not say n."""
    findings = []
    for call in stored:
        numbers = [number for number, _ in call.turns]
        if numbers != list(range(1, len(numbers) + 1)):
            findings.append(Finding("turns are not 1..n", call.call, f"{numbers[:5]} … {numbers[-5:]}"))
        elif call.last != len(numbers):
            findings.append(Finding("half-written", call.call, f"the call says {call.last}, {len(numbers)} are there"))
    return findings


def answered_otherwise(
    attempts: Iterable[Attempt], allowed: Iterable[int], during: Iterable[tuple[float, float]] | None = None
) -> list[Finding]:
    """Find requests with a status that is not allowed; with `during`, only requests within one of these periods."""
    periods, statuses = None if during is None else list(during), set(allowed)
    return [
        Finding("answered otherwise", sent.call, f"{sent.kind} {sent.key}: {sent.status or 'no answer'}")
        for sent in attempts
        if sent.status not in statuses
        and (periods is None or any(a <= sent.began_at and sent.ended_at <= b for a, b in periods))
    ]


def answered_slowly(attempts: Iterable[Attempt], bound_seconds: float) -> list[Finding]:
    """Find requests that took longer than the bound, answered or not."""
    return [
        Finding("answered slowly", sent.call, f"{sent.kind} {sent.key} took {seconds:.1f} s")
        for sent in attempts
        if (seconds := sent.ended_at - sent.began_at) > bound_seconds
    ]


# --- what subscribers got, compared with what is stored ------------------------------------------------------------


@dataclass(slots=True)
class _Transcript:
    """The messages that one subscriber got of one call, over all its connections."""

    base: int | None = None
    numbers: list[int] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    pair: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def heard_in_full(heard: Iterable[Heard], stored: Iterable[Stored]) -> Hearing:
    """Check that after its first confirmation each subscriber gets every turn once, in order, then the pair."""
    transcripts: dict[tuple[str, str], _Transcript] = {}
    for one in heard:
        _take(transcripts.setdefault((one.who, one.call), _Transcript()), one)
    calls = {one.call: one for one in stored}
    hearing = Hearing(0, 0, [])
    for (who, call), transcript in transcripts.items():
        if transcript.base is not None:
            one_hearing = _compare(f"{call} at {who}", transcript, transcript.base, calls[call])
            hearing = Hearing(
                hearing.expected + one_hearing.expected,
                hearing.got + one_hearing.got,
                hearing.findings + one_hearing.findings,
            )
    return hearing


def _take(transcript: _Transcript, one: Heard) -> None:
    where = f"{one.call} at {one.who}"
    if one.what == "confirmed":
        transcript.base = one.number if transcript.base is None else transcript.base
    elif one.what == "turn":
        before = transcript.numbers[-1] if transcript.numbers else None
        if one.number in transcript.seen:
            transcript.findings.append(Finding("repeated", where, f"turn {one.number}"))
        elif before is not None and one.number < before:
            transcript.findings.append(Finding("out of order", where, f"turn {one.number} after {before}"))
        if transcript.pair:
            transcript.findings.append(Finding("after the end", where, f"turn {one.number}"))
        transcript.numbers.append(one.number)
        transcript.seen.add(one.number)
    elif one.what in ("call_status", "call_completed"):
        transcript.pair.append(one.what)
    elif one.what in ("reset", "error"):
        transcript.findings.append(Finding(one.what, where, "nothing gave reason for it"))


def _compare(where: str, transcript: _Transcript, base: int, call: Stored) -> Hearing:
    findings = list(transcript.findings)
    wanted = set(range(base + 1, (call.last if call.final is None else call.final) + 1))
    got = wanted & transcript.seen
    if missing := sorted(wanted - got):
        findings.append(Finding("missing", where, f"{len(missing)} of {len(wanted)} turns, first {missing[:3]}"))
    if never_said := sorted(transcript.seen - wanted):
        findings.append(Finding("not asked for", where, f"turns {never_said[:5]}"))
    pairs = 0 if call.final is None else 1
    whole_pair = transcript.pair == ["call_status", "call_completed"] * pairs
    if not whole_pair:
        findings.append(Finding("completion pair", where, f"{transcript.pair}, wanted {pairs}"))
    return Hearing(len(wanted) + pairs, len(got) + (pairs if whole_pair else 0), findings)


# --- delays ----------------------------------------------------------------------------------------------------


def delays(attempts: Iterable[Attempt], heard: Iterable[Heard]) -> list[tuple[float, Heard]]:
    """Return the seconds from a request's first 2xx answer to each turn and completion that it led to, at least 0.

    The answer follows the commit, so each delay is too short by the time between the two.
    """
    answered: dict[tuple[str, int | None], float] = {}
    for sent in attempts:
        if sent.acknowledged:
            key = (sent.call, sent.number if sent.kind == "turn" else None)
            answered[key] = min(sent.ended_at, answered.get(key, sent.ended_at))
    found = []
    for one in heard:
        if one.what in ("turn", "call_completed"):
            since = answered.get((one.call, one.number if one.what == "turn" else None))
            if since is not None:
                found.append((max(0.0, one.at - since), one))
    return found


def late(measured: Iterable[tuple[float, Heard]], bound_seconds: float) -> list[Finding]:
    """Find turns and completions that came later than the bound."""
    return [
        Finding("late", f"{one.call} at {one.who}", f"{one.what} {one.number} came {seconds:.2f} s after its answer")
        for seconds, one in measured
        if seconds > bound_seconds
    ]


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that `share` (0.99) of the values do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


# --- reading the files -----------------------------------------------------------------------------------------


def attempts_in(path: Path) -> list[Attempt]:
    return [Attempt(**entry) for entry in entries(path)]


def heard_in(path: Path) -> list[Heard]:
    return [Heard(**entry) for entry in entries(path)]


def stored_in(path: Path) -> list[Stored]:
    return [Stored(**{**entry, "turns": [(number, key) for number, key in entry["turns"]]}) for entry in entries(path)]
