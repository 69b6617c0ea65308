"""What REST says of a call: that it was placed elsewhere, which conversation it is, and what else is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from calls.access import Agents, may_see
from calls.linking import Name, NameRank, Reference, link, remember
from calls.models import Call
from calls.names import Known, Owner, hold_names
from calls.outcome import Parties


class NameTaken(Exception):
    """REST asks for a name that another call has. `field` is the one to correct."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def register(
    *, call_sid: str = "", conversation_id: str | None = None, agents: Agents = None, **fields: Any
) -> tuple[Call, bool]:
    """A call that was placed elsewhere, and whether its row is new. Without a `call_sid` it gets one, in either case.

    One that only webhooks made is filled. Raises NameTaken where it was registered before, where its names belong to
    two calls, or where it is a call of an agent other than `agents`.
    """
    sid = call_sid or Call.make_call_sid(fields.get("driver_id", ""))
    reference = Reference(conversation_id=conversation_id, names=(Name(sid, NameRank.REGISTERED),))
    with transaction.atomic():
        known = hold_names(reference.texts)
        by_sid = known.owner(sid)
        if by_sid is not None and (by_sid.name_rank == NameRank.REGISTERED or _is_of_others(by_sid, agents)):
            raise NameTaken("call_sid", "A call with this call_sid already exists.")
        for other in _named_as(conversation_id, known):
            if other.name_rank == NameRank.REGISTERED or _is_of_others(other, agents):
                raise NameTaken("conversation_id", "A call with this conversation_id already exists.")
            if other.conversation_id not in (None, conversation_id):
                raise NameTaken("conversation_id", "Another call has this as its call_sid, or as a former name.")
        if conversation_id and by_sid is not None and by_sid.conversation_id not in (None, conversation_id):
            raise NameTaken("conversation_id", "The call with this call_sid has another conversation_id.")
        call = link(reference, held=known).call
        if call is None:
            Call.register(call_sid=sid, conversation_id=conversation_id, **fields)
            return Call.objects.get_by_identifier(sid), True  # with what waited for its names
        return call.fill(fields), False


def update(call: Call, *, conversation_id: str | None = None, agents: Agents = None, **fields: Any) -> Call:
    """Write these fields and no others. Raises NameTaken as `link_conversation`, Call.DoesNotExist if it is gone."""
    with transaction.atomic():
        if conversation_id and conversation_id != call.conversation_id:
            call = link_conversation(call, conversation_id, agents)
        locked = Call.objects.select_for_update(no_key=True).get_by_identifier(call.call_sid)
        if fields:
            _write(locked, fields)
        return locked


def link_conversation(call: Call, conversation_id: str, agents: Agents = None) -> Call:
    """Tell ElevenLabs' identifier of a call; one that it had before stays a name of it.

    Raises NameTaken where the identifier is a name of another call that cannot be the same one, or that is of an agent
    other than `agents`.
    """
    with transaction.atomic():
        known = hold_names([conversation_id, call.call_sid])
        call = Call.objects.get_by_identifier(call.call_sid)  # another may have linked it before the names were held
        if call.conversation_id == conversation_id:
            return call
        for other in _named_as(conversation_id, known):
            if other.pk == call.pk:
                continue
            may_be_the_same = call.conversation_id is None and other.conversation_id in (None, conversation_id)
            if not may_be_the_same or other.name_rank == NameRank.REGISTERED or _is_of_others(other, agents):
                raise NameTaken("conversation_id", "Another call has this conversation_id.")
        if call.conversation_id is None:
            name = Name(call.call_sid, call.name_rank)
            link(Reference(conversation_id=conversation_id, names=(name,)), held=known)
        else:
            locked = Call.objects.select_for_update(no_key=True).get(pk=call.pk)
            former = {locked.conversation_id or ""}
            locked.conversation_id = conversation_id
            remember(locked, former, {"conversation_id"})
        return Call.objects.get_by_identifier(call.call_sid)  # what waited for its names has been applied


def _is_of_others(call: Owner, agents: Agents) -> bool:
    """Whether it is known that the call is none of these agents': it must not be told of, nor changed."""
    return call.agent_id != "" and not may_see(agents, call.agent_id)


def _named_as(conversation_id: str | None, known: Known) -> set[Owner]:
    """Calls that have this text as any name; two, if it is the conversation of one and the `call_sid` of the other."""
    if not conversation_id:
        return set()
    return {call for call in (known.of_conversation(conversation_id), known.owner(conversation_id)) if call}


def _write(call: Call, fields: Mapping[str, Any]) -> None:
    """What REST tells of the parties is believed as at a registration; what it empties may be told by anybody."""
    told = fields.keys() & set(Parties.__slots__)
    sources = {name: source for name, source in call.party_sources.items() if name not in told}
    sources |= {name: int(Call.Source.REGISTERED) for name in told if fields[name]}
    for name, value in {**fields, "party_sources": sources}.items():
        setattr(call, name, value)
    call.save(update_fields=[*fields, "party_sources", "updated_at"])
