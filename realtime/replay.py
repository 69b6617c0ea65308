"""Reads the state and the turns of calls from the database, in threads of realtime's own.

Everything that a subscriber ever gets can be read with these functions; the channel layer only tells when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass

from django.db.models.functions import Length

from calls.models import Call
from calls.names import look_up
from calls.per_loop import PerLoop
from calls.threads import Threads
from realtime.call_state import CallState
from realtime.fair_queue import FairQueue
from realtime.messages import CallCompleted, CallStatus, Transcription, encode
from realtime.together import Together

PAGE = 500
PAGE_CHARACTERS = 256 * 1024
_threads = Threads("realtime-replay", 4)
_queue = PerLoop(lambda: FairQueue(_threads.count))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a call's turns above a number, as (number, text). An ended call's last page has the completion pair.

    `end`: the database has no other turns up to this number.
    """

    state: CallState
    end: int
    turns: list[tuple[int, str]]
    is_last: bool
    completion: tuple[str, str] | None


_STATE = (
    *("pk", "call_sid", "conversation_id", "status"),
    *("last_sequence_number", "final_sequence_number", "numbering", "agent_id"),
)


async def in_thread[Result](read: Callable[[], Result], user: Hashable = None, *, page: bool = False) -> Result:
    """Run a blocking read in one of realtime's own threads, when it is this user's turn. Raises what `read` raises.

    A read that serves many users takes its turn under a name of its own, as if the name were a user.
    """
    queue = _queue()
    await queue.take(user, page=page)
    reading = asyncio.ensure_future(_threads.run(read))
    reading.add_done_callback(lambda _: queue.give_back(user, page=page))
    return await asyncio.shield(reading)  # a read that has begun does not stop, and keeps its place until it ends


async def find(identifier: str) -> CallState:
    """Return the state of the call with this `call_sid` or `conversation_id`, or with one of these as a former name.

    Raises Call.DoesNotExist, django.db.Error.
    """
    return _there(await _finding().ask(identifier))


async def state(call_id: int) -> CallState:
    """Return the present state of one call. Raises Call.DoesNotExist, django.db.Error."""
    return _there(await _reading_states().ask(call_id))


async def states(call_ids: Iterable[int]) -> dict[int, CallState]:
    """Return the present states of these calls by id, from one query. Raises django.db.Error."""
    ids = list(call_ids)
    return await in_thread(lambda: {row[0]: CallState(*row) for row in _rows(ids)}, "states")


async def _find_all(identifiers: Collection[str]) -> dict[str, CallState]:
    return await in_thread(lambda: _states_by_name(identifiers), "find")


# A thousand sockets that come in at once look up their calls in a few queries, and their rights (`realtime.auth`) in a
# few others. A socket with a token and a subscription costs 0.5 ms of CPU in such a crowd, and 3.1 ms where each socket
# has queries of its own (`make bench ARGS="--only coming-in"`).
_finding = PerLoop(lambda: Together(_find_all))
_reading_states = PerLoop(lambda: Together(states))


def _there(state: CallState | None) -> CallState:
    if state is None:
        raise Call.DoesNotExist
    return state


async def read(call_id: int, after: int, *, until_end: bool = False, user_id: int | None = None) -> Page:
    """Return a page of the call's turns above `after`; if the call has ended, its last page has the completion pair.

    `until_end` leaves out turns stored after the call's end, which live subscribers do not get. Without `user_id` the
    page is for all listeners of the call. Raises Call.DoesNotExist, django.db.Error.
    """
    user = ("call", call_id) if user_id is None else user_id
    return await in_thread(lambda: _read(call_id, after, until_end), user, page=True)


def _rows(call_ids: list[int]) -> Iterable[tuple[int, str, str | None, str, int, int | None, int, str]]:
    return Call.objects.filter(pk__in=call_ids).order_by().values_list(*_STATE)


def _states_by_name(names: Collection[str]) -> dict[str, CallState]:
    known = look_up(names)
    owners = {name: owner.pk for name in names if (owner := known.owner(name)) is not None}
    states = {row[0]: CallState(*row) for row in _rows(list(owners.values()))} if owners else {}
    return {name: states[call_id] for name, call_id in owners.items() if call_id in states}


def _state(call: Call) -> CallState:
    return CallState(*(getattr(call, name) for name in _STATE))


def _read(call_id: int, after: int, until_end: bool) -> Page:
    """Read the call first and its turns second: the last number of the call says where this page has to stop."""
    call = Call.objects.defer("final_transcript").get(pk=call_id)
    state = _state(call)
    last = state.last_sequence_number
    if until_end and state.final_sequence_number is not None:
        last = state.final_sequence_number
    turns: list[tuple[int, str]] = []
    if after < last:
        above = call.transcriptions.filter(sequence_number__gt=after, sequence_number__lte=last)
        sizes = above.order_by("sequence_number").values_list("sequence_number", Length("message_text"))
        page = above.filter(sequence_number__lte=_end_of_page(sizes[:PAGE]))
        spoken = page.order_by("sequence_number")
        turns = [(turn.sequence_number, encode(Transcription.of(turn, call))) for turn in spoken]
    is_last = not turns or turns[-1][0] >= last
    completion = None
    if state.ended and is_last:
        completion = encode(CallStatus.of(call)), encode(CallCompleted.of(call))
    return Page(state, max(after, last) if is_last else turns[-1][0], turns, is_last, completion)


def _end_of_page(sizes: Iterable[tuple[int, int]]) -> int:
    """Return the number of the last turn that fits into a page: a page waits in memory for a slow socket."""
    end = total = 0
    for number, size in sizes:
        total += size
        if end and total > PAGE_CHARACTERS:
            break
        end = number
    return end
