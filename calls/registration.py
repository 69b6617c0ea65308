"""What REST says of a call: that it was placed elsewhere, and which conversation it is."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from calls.linking import Name, NameRank, Reference, link, lock_names, owner_of
from calls.models import Call


class NameTaken(Exception):
    """REST asks for a name that another call has. `field` is the one to correct."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def register(*, call_sid: str = "", conversation_id: str | None = None, **fields: Any) -> tuple[Call, bool]:
    """A call that was placed elsewhere, and whether its row is new.

    One that only webhooks made is filled. Raises NameTaken where it was registered before, or where its names belong to
    two calls.
    """
    with transaction.atomic():
        names = (Name(call_sid, NameRank.REGISTERED),) if call_sid else ()
        reference = Reference(conversation_id=conversation_id, names=names)
        lock_names(reference.texts)
        _refuse_taken(reference)
        call = link(reference).call
        if call is None:
            made = Call.register(call_sid=call_sid, conversation_id=conversation_id, **fields)
            return Call.objects.get_by_identifier(made.call_sid), True  # with what waited for its names
        return call.fill(fields), False


def _refuse_taken(reference: Reference) -> None:
    by_sid = owner_of(reference.names[0].text) if reference.names else None
    by_conversation = None
    if reference.conversation_id:
        by_conversation = Call.objects.filter(conversation_id=reference.conversation_id).first()
    if by_sid is not None and by_sid.name_rank == NameRank.REGISTERED:
        raise NameTaken("call_sid", "A call with this call_sid already exists.")
    if by_conversation is not None and by_conversation.name_rank == NameRank.REGISTERED:
        raise NameTaken("conversation_id", "A call with this conversation_id already exists.")
    own = by_sid.conversation_id if by_sid is not None else None
    if own and reference.conversation_id and own != reference.conversation_id:
        raise NameTaken("conversation_id", "The call with this call_sid has another conversation_id.")


def link_conversation(call: Call, conversation_id: str) -> Call:
    """Tell ElevenLabs' identifier of a call. Raises NameTaken where another registered call has it."""
    with transaction.atomic():
        reference = Reference(conversation_id=conversation_id, names=(Name(call.call_sid, call.name_rank),))
        lock_names(reference.texts)
        call = Call.objects.get_by_identifier(call.call_sid)  # another may have linked it before the names were held
        if call.conversation_id == conversation_id:
            return call
        other = Call.objects.filter(conversation_id=conversation_id).exclude(pk=call.pk).first()
        if other is not None and (call.conversation_id is not None or other.name_rank == NameRank.REGISTERED):
            raise NameTaken("conversation_id", "Another call has this conversation_id.")
        if call.conversation_id is not None:
            locked = Call.objects.select_for_update(no_key=True).get(pk=call.pk)
            locked.conversation_id = conversation_id
            locked.save(update_fields=["conversation_id", "updated_at"])
            return locked
        found = link(reference).call
        if found is None:
            raise NameTaken("conversation_id", "Another call has this conversation_id.")
        return Call.objects.get(pk=found.pk)  # what waited for its names has been applied
