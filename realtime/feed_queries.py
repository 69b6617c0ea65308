"""The queries of the feed: which calls are on the list, their versions, and their rows.

Versions are small and read often. A row is read only where its version is new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, FilteredRelation, Q, QuerySet
from django.db.models.functions import Left

from calls.access import Agents, visible
from calls.json_values import iso, json_number
from calls.models import Call
from calls.per_loop import PerLoop
from calls.redaction import redacted
from realtime.messages import LastTurn, ListedCall, Totals, encode
from realtime.replay import in_thread
from realtime.together import Together

IN_PROGRESS_LIMIT = 1_000
ENDED_LIMIT = 50
NEWEST_LIMIT = 200
ENDED = (Call.Status.COMPLETED, Call.Status.FAILED)
COUNTED_UP_TO = 10_000  # a limit on the cost: the totals are read every two seconds
LAST_TURN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a call. Two versions differ if anything of the call differs: every write sets `updated_at`."""

    call_sid: str
    status: str
    last_sequence_number: int
    updated_at: datetime

    @property
    def ended(self) -> bool:
        return self.status != Call.Status.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of calls as it is in the database, of the calls that the watchers may see.

    `calls`: the ids of a snapshot's calls, in its order. `window`: these calls, and the newest by id whatever their
    status. `versions`: the versions of the window, and of the other calls that the caller named. `totals`: the numbers
    of all calls, in the list or not.
    """

    calls: list[int]
    window: frozenset[int]
    versions: dict[int, Version]
    totals: Totals


class Row(NamedTuple):
    """A call of the list. `text` is its JSON, which all feeds share."""

    call_id: int
    version: Version
    text: str
    agent_id: str


async def listing(known: set[int], agents: Agents) -> Listing:
    """Read the present list of the calls of these agents. Raises django.db.Error.

    It has the versions of all their `known` calls, also of calls that left the list.
    """
    return await in_thread(lambda: _listing(known, agents), "feed")


async def rows(call_ids: Iterable[int]) -> list[Row]:
    """Read these calls, of all agents. Feeds that ask at the same moment share one query. Raises django.db.Error."""
    ids = frozenset(call_ids)
    return (await _reading().ask(ids) or []) if ids else []


async def _read_rows(asked: Collection[frozenset[int]]) -> dict[frozenset[int], list[Row]]:
    calls = Call.objects.filter(pk__in=frozenset[int]().union(*asked))
    read = await in_thread(lambda: [_row(values) for values in _with_last_turn(calls)], "feed")
    return {ids: [row for row in read if row.call_id in ids] for ids in asked}


_reading = PerLoop(lambda: Together(_read_rows))


def _listing(known: set[int], agents: Agents) -> Listing:
    """Read the newest calls by id and the known calls, then those in progress, then the ended ones, by indexes.

    A call that ends between the queries is then in both lists, never in neither. A call that begins between them is on
    the list or has no version: a version that is not on a snapshot's list would count as sent. The newest calls catch
    a call that begins and ends between two comparisons.
    """
    fields = ("pk", "call_sid", "status", "last_sequence_number", "updated_at")
    calls = visible(Call.objects.order_by(), agents)
    newest = {pk: Version(*rest) for pk, *rest in calls.order_by("-pk").values_list(*fields)[:NEWEST_LIMIT]}
    missing = calls.filter(pk__in=known - newest.keys()).values_list(*fields)
    others = {pk: Version(*rest) for pk, *rest in missing}
    in_progress = calls.filter(status=Call.Status.IN_PROGRESS).order_by("-pk").values_list(*fields)[:IN_PROGRESS_LIMIT]
    ended = calls.filter(call_end_time__isnull=False).exclude(status=Call.Status.IN_PROGRESS)
    ended_last = ended.order_by("-call_end_time", "-pk").values_list(*fields)[:ENDED_LIMIT]
    listed = {pk: Version(*rest) for pk, *rest in [*in_progress, *ended_last]}
    window = newest | listed
    totals = Totals(_counted(agents, Call.Status.IN_PROGRESS), _counted(agents, *ENDED), COUNTED_UP_TO)
    return Listing(list(listed), frozenset(window), others | window, totals)


def _counted(agents: Agents, *statuses: str) -> int:
    """Count the calls with one of these statuses, up to COUNTED_UP_TO; for all agents from the index alone."""
    calls = visible(Call.objects.order_by().filter(status__in=statuses), agents)
    return calls.values("pk")[:COUNTED_UP_TO].count()


def _with_last_turn(calls: QuerySet[Call]) -> Iterable[dict[str, Any]]:
    last = Q(transcriptions__sequence_number=F("last_sequence_number"))
    found: Iterable[dict[str, Any]] = (
        calls.order_by()
        .annotate(last=FilteredRelation("transcriptions", condition=last))
        .annotate(last_text=Left("last__message_text", LAST_TURN_CHARACTERS))
        .annotate(last_speaker=F("last__speaker_type"), last_time=F("last__timestamp"))
        .values(
            *("pk", "updated_at", "call_duration_seconds", "last_text", "last_speaker", "last_time"),
            *(set(ListedCall.__struct_fields__) - {"duration_seconds", "last_turn"}),
        )
    )
    return found


def _row(call: dict[str, Any]) -> Row:
    spoken = call["last_speaker"] is not None
    listed = ListedCall(
        call_sid=call["call_sid"],
        conversation_id=call["conversation_id"],
        driver_id=call["driver_id"],
        agent_id=call["agent_id"],
        agent_name=call["agent_name"],
        direction=call["direction"],
        from_number=call["from_number"],
        to_number=call["to_number"],
        status=call["status"],
        call_start_time=iso(call["call_start_time"]),
        call_end_time=iso(call["call_end_time"]),
        duration_seconds=json_number(call["call_duration_seconds"]),
        last_sequence_number=call["last_sequence_number"],
        last_turn=LastTurn(call["last_speaker"], call["last_text"], iso(call["last_time"])) if spoken else None,
        call_successful=call["call_successful"],
        transcript_summary=redacted(call["transcript_summary"]),
        cost=json_number(call["cost"]),
        failure_reason=redacted(call["failure_reason"]),
        created_at=iso(call["created_at"]),
    )
    version = Version(call["call_sid"], call["status"], call["last_sequence_number"], call["updated_at"])
    return Row(call["pk"], version, encode(listed), call["agent_id"])
