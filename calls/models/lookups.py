"""Look-ups of calls by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from calls.models.call import Call


class CallQuerySet(models.QuerySet["Call"]):
    """Calls that can be looked up by name; methods called `get_…` raise `Call.DoesNotExist`."""

    def get_by_call_sid(self, call_sid: str) -> Call:
        return self.get(call_sid=call_sid)

    def get_by_conversation_id(self, conversation_id: str) -> Call:
        return self.get(conversation_id=conversation_id)

    def named(self, name: str) -> Call | None:
        """Return the call that has or had this name; a present `call_sid` wins over another's `conversation_id`."""
        found = list(self.filter(Q(call_sid=name) | Q(conversation_id=name))[:2])
        if not found:  # a separate query, because an OR with former names would read the whole table
            found = list(self.filter(aliases__name=name)[:1])
        return min(found, key=lambda call: call.call_sid != name, default=None)

    def get_by_identifier(self, identifier: str) -> Call:
        """Return the call that has or had this name, as `named` finds it. Raises `Call.DoesNotExist`."""
        call = self.named(identifier)
        if call is None:
            raise self.model.DoesNotExist(f"No call with the name {identifier!r}")
        return call


CallManagerFromQuerySet = models.Manager.from_queryset(CallQuerySet)


class CallManager(CallManagerFromQuerySet["Call"]):
    """A manager that loads calls without `search_words`, which only the database compares."""

    def get_queryset(self) -> CallQuerySet:
        return cast(CallQuerySet, super().get_queryset().defer("search_words"))
