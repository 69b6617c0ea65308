"""REST's changes to a call: register a call that was placed elsewhere, link its conversation, write its fields."""

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
    """REST asks for a name that another call has. `field` names the field to correct."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def register(
    *, call_sid: str = "", conversation_id: str | None = None, agents: Agents = None, **fields: Any
) -> tuple[Call, bool]:
    """Register a call that was placed elsewhere; return the call and whether its row is new.

    Without a `call_sid` the call gets a generated one, also if its row exists already. A call that only webhooks made
    is filled. Raises NameTaken if the call was registered before, if its names belong to two calls, or if it is a call
    of an agent other than `agents`.
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
            return Call.objects.get_by_identifier(sid), True  # saving applied the deliveries that waited for it
        return call.fill(fields), False


def update(call: Call, *, conversation_id: str | None = None, agents: Agents = None, **fields: Any) -> Call:
    """Write these fields and no others. Raises NameTaken as `link_conversation`; Call.DoesNotExist without a row."""
    with transaction.atomic():
        if conversation_id and conversation_id != call.conversation_id:
            call = link_conversation(call, conversation_id, agents)
        locked = Call.objects.select_for_update(no_key=True).get_by_identifier(call.call_sid)
        if fields:
            _write(locked, fields)
        return locked


def link_conversation(call: Call, conversation_id: str, agents: Agents = None) -> Call:
    """Set ElevenLabs' ID of a call's conversation; an ID that the call had before stays one of its names.

    Raises NameTaken if the ID is a name of another call that cannot be the same call, or that has an agent other than
    `agents`.
    """
    with transaction.atomic():
        known = hold_names([conversation_id, call.call_sid])
        call = Call.objects.get_by_identifier(call.call_sid)  # it may have been linked before the names were locked
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
        return Call.objects.get_by_identifier(call.call_sid)  # saving applied the deliveries that waited for it


def _is_of_others(call: Owner, agents: Agents) -> bool:
    """Tell whether the call is known to have an agent other than these: it must be neither revealed nor changed."""
    return call.agent_id != "" and not may_see(agents, call.agent_id)


def _named_as(conversation_id: str | None, known: Known) -> set[Owner]:
    """Return the calls with this text as any name: two if it is one's conversation and the other's `call_sid`."""
    if not conversation_id:
        return set()
    return {call for call in (known.of_conversation(conversation_id), known.owner(conversation_id)) if call}


def _write(call: Call, fields: Mapping[str, Any]) -> None:
    """Save the fields. A value about the parties counts as registered; an emptied one may be set by any source."""
    told = fields.keys() & set(Parties.__slots__)
    sources = {name: source for name, source in call.party_sources.items() if name not in told}
    sources |= {name: int(Call.Source.REGISTERED) for name in told if fields[name]}
    for name, value in {**fields, "party_sources": sources}.items():
        setattr(call, name, value)
    call.save(update_fields=[*fields, "party_sources", "updated_at"])
