"""The names of calls: who has which, and holding them while one is given.

A call has a `call_sid`, mostly a `conversation_id`, and the names that it had before, as aliases.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection, transaction
from django.dispatch import Signal

from calls.models import Call, CallAlias

# Sent with `names`, before they are held. Receivers return further names that will be looked for behind the same lock.
names_come_along = Signal()

_FIELDS = "call.id, call.call_sid, call.conversation_id, call.agent_id, call.name_rank"
_OWNERS = f"""
    SELECT {_FIELDS}, NULL FROM calls_call AS call WHERE call_sid IN ({{names}}) OR conversation_id IN ({{names}})
    UNION ALL
    SELECT {_FIELDS}, alias.name FROM calls_callalias AS alias JOIN calls_call AS call ON call.id = alias.call_id
    WHERE alias.name IN ({{names}})
"""  # noqa: S608  (all names are ours)


def is_printable(name: str) -> bool:
    """Whether it has no control characters, line ends or lone surrogates: any script, any space, any emoji is fine."""
    return name.isprintable() or not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)


class Owner(NamedTuple):
    """A call, as far as linking asks for it."""

    pk: int
    call_sid: str
    conversation_id: str | None
    agent_id: str
    name_rank: int


class Known:
    """The calls that have or had some names."""

    def __init__(self, rows: Iterable[tuple[int, str, str | None, str, int, str | None]]) -> None:
        self.calls: dict[int, Owner] = {}
        self._by_call_sid: dict[str, Owner] = {}
        self._by_conversation: dict[str, Owner] = {}
        self._by_alias: dict[str, Owner] = {}
        for *fields, alias in rows:
            call = Owner._make(fields)
            self.calls[call.pk] = call
            if alias is not None:
                self._by_alias[alias] = call
            else:
                self._by_call_sid[call.call_sid] = call
                if call.conversation_id is not None:
                    self._by_conversation[call.conversation_id] = call

    def owner(self, name: str) -> Owner | None:
        """The call that has or had this name; a present `call_sid` wins over another call's `conversation_id`."""
        return self._by_call_sid.get(name) or self._by_conversation.get(name) or self._by_alias.get(name)

    def of_conversation(self, conversation_id: str) -> Owner | None:
        """The call of a conversation, also by an ID that it had before. Somebody may have told it as a `call_sid`."""
        if call := self._by_conversation.get(conversation_id):
            return call
        told = self._by_call_sid.get(conversation_id)
        return told if told is not None and told.conversation_id is None else self._by_alias.get(conversation_id)


def look_up(names: Iterable[str]) -> Known:
    """One query for all names; the ORM would need two, and three times as long to write them."""
    names = list(names)
    if not names:
        return Known([])
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS.format(names=", ".join(["%s"] * len(names))), names * 3)
        return Known(cursor.fetchall())


def lock_names(names: Iterable[str | None]) -> None:
    """Hold these names until the transaction ends, so that nobody looks for them and makes a call at the same moment.

    In one order for all. On SQLite there is nothing to do: a transaction that writes is alone.
    """
    ordered = sorted({name for name in names if name})
    if connection.vendor != "postgresql" or not ordered:
        return
    with connection.cursor() as cursor:  # unnest keeps the order
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS name", [ordered]
        )


def hold_if_free(names: Iterable[str]) -> bool:
    """`lock_names` if no call has one of these; else nothing is held, as whoever finds a call may need more names."""
    names = list(names)
    with transaction.atomic():  # a savepoint: what is rolled back to it is let go
        lock_names(names)
        free = not look_up(names).calls
        if not free:
            transaction.set_rollback(True)
    return free


def hold_names(names: Iterable[str]) -> Known:
    """`lock_names` for whoever may give a call a name: all that it may need is held before it locks the first row.

    That is every name of the calls that have one of these, and of the deliveries that wait for one of those, and so on.
    Where there are more when all are held, they are let go: everybody waits in one order, and none for each other.
    """
    names = set(names)
    wanted, known = _with_what_comes_along(names)
    while connection.vendor == "postgresql":
        with transaction.atomic():
            lock_names(wanted)
            found, known = _with_what_comes_along(names)
            if found <= wanted:
                break
            wanted = found
            transaction.set_rollback(True)
    return known


def _with_what_comes_along(names: set[str]) -> tuple[set[str], Known]:
    """All names that may have to be held for these, and the calls that have them now."""
    found, new = set(names), names
    known = look_up(names)
    calls = set[int]()
    while new:
        further = {name for _, told in names_come_along.send(Call, names=new) for name in told or ()}
        if more := known.calls.keys() - calls:
            calls |= more
            for pk in more:
                further |= {known.calls[pk].call_sid, known.calls[pk].conversation_id or ""} - {""}
            further |= set(CallAlias.objects.filter(call__in=more).values_list("name", flat=True))
        new = further - found
        found |= new
        if new:
            known = look_up(found)
    return found, known


def names_of(call: Call) -> set[str]:
    """Every name that the call has or had."""
    aliases = CallAlias.objects.filter(call=call).values_list("name", flat=True)
    return {name for name in (call.call_sid, call.conversation_id, *aliases) if name}
