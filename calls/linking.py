"""Find the call of an event, whichever of the call's names the event carries and whichever event came first.

A conversation is one Call. An event may name it by ElevenLabs' `conversation_id`, by callsite's `call_sid`, or by the
telephone provider's. Rows that turn out to be one call are merged. Every name that a call ever had keeps working.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import transaction

from calls.merging import merge
from calls.models import Call, CallAlias
from calls.names import Known, Owner, hold_names, look_up

NameRank = Call.NameRank


class Name(NamedTuple):
    """A `call_sid` that an event carries, and its rank.

    `is_claim`: anyone who starts a conversation can set the name, as a variable, so it links only within one agent.
    """

    text: str
    rank: int
    is_claim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The names that an event gives for its call.

    `follows_conversation`: which call is meant if the names and the conversation belong to two calls that cannot be
    merged, because each has its own conversation. True: the call of the conversation.
    """

    conversation_id: str | None = None
    names: tuple[Name, ...] = ()
    agent_id: str = ""
    follows_conversation: bool = True

    @property
    def texts(self) -> list[str]:
        """Return all names of the event, each once."""
        texts = [name.text for name in self.names]
        return list(dict.fromkeys([self.conversation_id, *texts] if self.conversation_id else texts))


class Found(NamedTuple):
    """The call, if there is one. `conflict`: a name belongs to another call, which has its own conversation."""

    call: Call | None
    conflict: bool


def link(reference: Reference, *, create: bool = False, held: Known | None = None) -> Found:
    """Find the call of an event, merge rows that turn out to be one call, and store the event's names for it.

    `create`: create a missing call. `held`: the names, if the caller holds them. Runs in the caller's transaction, and
    locks the call's row. An event without news costs two queries; any other one locks the names before it locks a row.
    """
    with transaction.atomic(savepoint=False):
        known = held or look_up(reference.texts)
        rows, conflict = _rows(reference, known)
        if held is None and _tells_more(reference, rows, known, create=create):
            known = held = hold_names(reference.texts)
            rows, conflict = _rows(reference, known)
        locked = _locked(rows, to_merge=len(rows) > 1)
        if len(locked) < len(rows):  # another transaction has merged one of them
            return link(reference, create=create)
        if not locked:
            if not (create and _may_be_made(reference, known)):
                return Found(None, conflict)
            _make(reference, known)
            # saving applied the deliveries that waited for the call: they may have merged or renamed it
            return Found(link(reference, held=look_up(reference.texts)).call, conflict)
        call = locked[0]
        for other in locked[1:]:
            call = merge(call, other)
        learned = held is not None and _learn(call, reference, known, rows)
        if learned or len(locked) > 1:
            # saving applied the deliveries that waited for a name: they may have changed or merged the call
            call = Call.objects.select_for_update(no_key=True).get_by_identifier(call.call_sid)
            call.is_locked = True
        return Found(call, conflict)


def link_known(references: Sequence[Reference]) -> dict[Reference, Call | None] | None:
    """Link several events with two queries in all; return None and do nothing if an event has news for its call."""
    known = look_up({text for reference in references for text in reference.texts})
    found = {reference: _rows(reference, known)[0] for reference in references}
    if any(_tells_more(reference, rows, known, create=False) for reference, rows in found.items()):
        return None
    wanted = {pk for rows in found.values() for pk in rows}
    calls = {call.pk: call for call in _locked(sorted(wanted), to_merge=False)}
    if len(calls) < len(wanted):  # another transaction has merged one of them
        return None
    return {reference: calls[rows[0]] if rows else None for reference, rows in found.items()}


def look_for(reference: Reference) -> tuple[list[Owner], bool]:
    """Return the rows that `link` would merge now, and whether names conflict. Nothing is locked or changed."""
    known = look_up(reference.texts)
    rows, conflict = _rows(reference, known)
    return [known.calls[pk] for pk in rows], conflict


def _rows(reference: Reference, known: Known) -> tuple[list[int], bool]:
    """Return the keys of the rows that are this call, and whether a name belongs to another call."""
    conversation_id = reference.conversation_id
    rows, conflict = set[int](), False
    if conversation_id and (call := known.of_conversation(conversation_id)):
        rows.add(call.pk)
    for name in reference.names:
        found = known.owner(name.text)
        if found is None or found.pk in rows or (name.is_claim and not _same_agent(found, reference)):
            continue
        own = found.conversation_id
        if own is None or conversation_id is None:
            if conversation_id is not None or not rows:  # without a conversation the first known name decides
                rows.add(found.pk)
        elif reference.follows_conversation:
            conflict = True
        else:
            return [found.pk], True
    return sorted(rows), conflict


def _same_agent(call: Owner, reference: Reference) -> bool:
    return not (call.agent_id and reference.agent_id) or call.agent_id == reference.agent_id


def _tells_more(reference: Reference, rows: Sequence[int], known: Known, *, create: bool) -> bool:
    """Tell whether the event has news: a call has to be created, rows have to be merged, or a name has to be stored."""
    if len(rows) != 1:
        return len(rows) > 1 or create
    call = known.calls[rows[0]]
    return (reference.conversation_id is not None and call.conversation_id is None) or any(
        is_new(name, call, known) for name in names_in(reference, call.conversation_id)
    )


def is_new(name: Name, call: Owner | Call, known: Known) -> bool:
    """Tell whether a name is news for the call: no call has it, or it changes the call's `call_sid` or its rank."""
    if name.text == call.call_sid:
        return name.rank > call.name_rank
    owner = known.owner(name.text)
    return owner is None or (owner.pk == call.pk and is_better(name, call))


def names_in(reference: Reference, conversation_id: str | None) -> list[Name]:
    """Return the event's names, without a conversation ID sent as a `call_sid`, unless it was registered as one."""
    ids = {reference.conversation_id, conversation_id}
    return [name for name in reference.names if name.rank == NameRank.REGISTERED or name.text not in ids]


def _locked(rows: Sequence[int], *, to_merge: bool) -> list[Call]:
    """Lock the rows in the order of their keys, and return them; the row that stays in a merge comes first."""
    if not rows:
        return []
    lock = Call.objects.select_for_update(no_key=not to_merge)
    if not to_merge:  # large columns are read only where they are needed
        lock = lock.defer("final_transcript", "analysis_data", "metadata_json")
    calls = list(lock.filter(pk__in=rows).order_by("pk"))
    for call in calls:
        call.is_locked = True
    return sorted(calls, key=_standing)


def _standing(call: Call) -> tuple[int, str, int]:
    """Sort rows by their names, the best first; of two registered rows the older one comes first."""
    text = "" if call.name_rank == NameRank.REGISTERED else call.call_sid
    return -call.name_rank, text, call.pk


def _may_be_made(reference: Reference, known: Known) -> bool:
    """Return False if the event only names another agent's call: each such event would create a call without a name."""
    return reference.conversation_id is not None or any(known.owner(name.text) is None for name in reference.names)


def _make(reference: Reference, known: Known) -> None:
    """Create a call that nobody registered. Its `call_sid` is the best name that is free."""
    free = [name for name in names_in(reference, None) if known.owner(name.text) is None]
    if reference.conversation_id and known.owner(reference.conversation_id) is None:
        free.append(Name(reference.conversation_id, NameRank.STAND_IN))
    best = min(free, key=_order, default=Name("", NameRank.STAND_IN))
    Call.register(
        call_sid=best.text,
        conversation_id=reference.conversation_id,
        agent_id=reference.agent_id,
        name_rank=best.rank,
        party_sources={"agent_id": int(Call.Source.FAILURE)},
    )


def _order(name: Name) -> tuple[int, str]:
    """Sort names by rank, the best first; equal ranks by alphabet, so that the order of events does not matter."""
    return -name.rank, name.text


def is_better(name: Name, call: Owner | Call) -> bool:
    """Tell whether a name should replace the present `call_sid` of a call; a registered `call_sid` stays."""
    present = Name(call.call_sid, call.name_rank)
    return call.name_rank < NameRank.REGISTERED and _order(name) < _order(present)


def _learn(call: Call, reference: Reference, known: Known, rows: Sequence[int]) -> bool:
    """Give the call, made of `rows`, the conversation, better `call_sid` and names it lacks; tell if it changed."""
    changed, former = set[str](), set[str]()
    if reference.conversation_id and call.conversation_id is None:
        call.conversation_id = reference.conversation_id
        changed.add("conversation_id")
    if call.call_sid == call.conversation_id and NameRank.STAND_IN < call.name_rank < NameRank.REGISTERED:
        call.name_rank = NameRank.STAND_IN  # the conversation ID came as a call_sid: a better name replaces it
        changed.add("name_rank")
    for name in names_in(reference, call.conversation_id):
        owner = known.owner(name.text)
        if owner is not None and owner.pk not in rows:
            continue
        if name.text == call.call_sid:
            if name.rank > call.name_rank:
                call.name_rank = name.rank
                changed.add("name_rank")
        elif is_better(name, call):
            former.add(call.call_sid)
            call.call_sid, call.name_rank = name.text, name.rank
            changed |= {"call_sid", "name_rank"}
        else:
            former.add(name.text)
    return remember(call, former, changed)


def remember(call: Call, former: set[str], changed: set[str]) -> bool:
    """Save the changed fields, and store former names; return whether there was anything to save."""
    if {"call_sid", "conversation_id"} & changed:
        call.aliases.filter(name__in=[call.call_sid, call.conversation_id]).delete()
    new = former - {call.call_sid, call.conversation_id}
    new -= set(call.aliases.filter(name__in=new).values_list("name", flat=True))
    CallAlias.objects.bulk_create([CallAlias(call=call, name=name) for name in sorted(new)])
    if changed or new:
        # `call_sid` among the fields tells receivers of post_save that the call may have a new name
        call.save(update_fields=[*changed | {"call_sid"}, "updated_at"])
    return bool(changed or new)
