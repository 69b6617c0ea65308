"""One call, several names: which call an event is about, whatever names it carries and whichever event came first.

A conversation is one Call. An event may name it by ElevenLabs' `conversation_id`, by a `call_sid` of ours, or by the
telephone provider's. Rows that turn out to be one call are merged. Every name that a call ever had keeps working.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection, transaction

from calls.merging import merge
from calls.models import Call, CallAlias

NameRank = Call.NameRank


class Name(NamedTuple):
    """A `call_sid` that an event carries, and how good it is.

    `is_claim`: a dynamic variable, which whoever starts a conversation may set. It links only within one agent.
    """

    text: str
    rank: int
    is_claim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an event says of the call that it is about.

    `follows_conversation`: which of two calls is meant, where the names and the conversation belong to two that cannot
    be one, as both have a conversation of their own.
    """

    conversation_id: str | None = None
    names: tuple[Name, ...] = ()
    agent_id: str = ""
    follows_conversation: bool = True

    @property
    def texts(self) -> list[str]:
        """All its names, each once."""
        texts = [name.text for name in self.names]
        return list(dict.fromkeys([self.conversation_id, *texts] if self.conversation_id else texts))


class Found(NamedTuple):
    """The call, if there is one. `conflict`: a name belongs to another call, which has a conversation of its own."""

    call: Call | None
    conflict: bool


def lock_names(names: Iterable[str | None]) -> None:
    """Hold these names until the transaction ends, so that nobody looks for them and makes a call at the same moment.

    On SQLite there is nothing to do: a transaction that writes is alone.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for name in sorted({name for name in names if name}):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def link(reference: Reference, *, create: bool = False) -> Found:
    """Find the call of an event, merge what turns out to be one call, and teach it the event's names.

    `create`: make the call where there is none. Runs in the caller's transaction, and locks the call's row.
    """
    with transaction.atomic(savepoint=False):
        if create or len(reference.texts) > 1:  # a single name links nothing
            lock_names(reference.texts)
        while True:
            rows, conflict = _rows(reference)
            locked = _locked(rows)
            if len(locked) == len(rows):  # else another transaction merged one meanwhile
                break
        if not locked:
            return Found(_created(reference) if create else None, conflict)
        call = locked[0]
        for other in locked[1:]:
            call = merge(call, other)
        if _learn(call, reference):
            # what waited for a name is applied now, and may have merged the call into another
            call = Call.objects.select_for_update(no_key=True).get_by_identifier(call.call_sid)
        return Found(call, conflict)


def _rows(reference: Reference) -> tuple[list[int], bool]:
    """The keys of the rows that are this call, and whether a name belongs to another call."""
    conversation_id = reference.conversation_id
    rows, conflict = set[int](), False
    if conversation_id:
        rows |= set(Call.objects.filter(conversation_id=conversation_id).values_list("pk", flat=True))
        if not rows:  # somebody may have told it as a call_sid
            stand_in = owner_of(conversation_id)
            rows |= {stand_in.pk} if stand_in is not None and stand_in.conversation_id is None else set()
    for name in reference.names:
        found = owner_of(name.text)
        if found is None or (name.is_claim and not _same_agent(found, reference)):
            continue
        own = found.conversation_id
        if own is None or conversation_id is None or own == conversation_id:
            if not (conversation_id is None and rows and found.pk not in rows):  # the best name decides
                rows.add(found.pk)
        elif reference.follows_conversation:
            conflict = True
        else:
            return [found.pk], True
    return sorted(rows), conflict


def owner_of(name: str) -> Call | None:
    """The call that has or had this name, without what is large of it."""
    return Call.objects.only("call_sid", "conversation_id", "agent_id", "name_rank").named(name)


def _same_agent(call: Call, reference: Reference) -> bool:
    return not (call.agent_id and reference.agent_id) or call.agent_id == reference.agent_id


def _locked(rows: Sequence[int]) -> list[Call]:
    """The rows, locked in the order of their keys; the one that stays when they are merged comes first."""
    lock = Call.objects.select_for_update(no_key=len(rows) < 2)
    if len(rows) < 2:  # what is large is read where it is wanted
        lock = lock.defer("final_transcript", "analysis_data", "metadata_json")
    return sorted(lock.filter(pk__in=rows).order_by("pk"), key=lambda call: (-call.name_rank, call.pk))


def _created(reference: Reference) -> Call:
    """A call that nobody registered. Its `call_sid` is the best name that is free."""
    free = [name for name in reference.names if owner_of(name.text) is None]
    best = max(free, key=_quality, default=None)
    if best is None and reference.conversation_id and owner_of(reference.conversation_id) is None:
        best = Name(reference.conversation_id, NameRank.STAND_IN)
    sid, rank = (best.text, best.rank) if best else ("", NameRank.STAND_IN)
    call = Call.register(
        call_sid=sid,
        conversation_id=reference.conversation_id,
        agent_id=reference.agent_id,
        name_rank=rank,
        party_sources={"agent_id": int(Call.Source.FAILURE)},
    )
    _learn(call, reference)
    return Call.objects.get_by_identifier(call.call_sid)


def _quality(name: Name) -> tuple[int, list[int]]:
    """Of two names of one rank the first in the alphabet counts as better, so that no order of events matters."""
    return name.rank, [-ord(character) for character in name.text]


def is_better(name: Name, call: Call) -> bool:
    """Whether a name is better than the present `call_sid` of a call."""
    return _quality(name) > _quality(Name(call.call_sid, call.name_rank))


def _learn(call: Call, reference: Reference) -> bool:
    """Give the call what it lacks: its conversation, a better `call_sid`, further names; whether it lacked any."""
    names = [name for name in reference.names if name.text != call.call_sid or name.rank > call.name_rank]
    changed = set[str]()
    if reference.conversation_id and call.conversation_id is None:
        call.conversation_id = reference.conversation_id
        changed.add("conversation_id")
    if not (names or changed):
        return False
    former = set[str]()
    for name in names:
        owner = owner_of(name.text)
        if owner is not None and owner.pk != call.pk:
            continue
        if name.text == call.call_sid:
            if name.rank > call.name_rank:
                call.name_rank = name.rank
                changed.add("name_rank")
        elif call.name_rank < NameRank.REGISTERED and is_better(name, call):
            former.add(call.call_sid)
            call.call_sid, call.name_rank = name.text, name.rank
            changed |= {"call_sid", "name_rank"}
        else:
            former.add(name.text)
    call.aliases.filter(name=call.call_sid).delete()
    new = former - {call.call_sid, *call.aliases.values_list("name", flat=True)}
    CallAlias.objects.bulk_create([CallAlias(call=call, name=name) for name in sorted(new)])
    if changed or new:
        # `call_sid` among the fields says to the listeners that there is a name to look for
        call.save(update_fields=[*changed | {"call_sid"}, "updated_at"])
    return bool(changed or new)


def names_of(call: Call) -> set[str]:
    """Every name that the call has or had."""
    aliases = CallAlias.objects.filter(call=call).values_list("name", flat=True)
    return {name for name in (call.call_sid, call.conversation_id, *aliases) if name}
