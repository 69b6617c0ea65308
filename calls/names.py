"""Look up the names of calls, and lock them while a call gets a name.

A call has a `call_sid`, usually a `conversation_id`, and its former and further names as aliases.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection, transaction
from django.dispatch import Signal

from calls.models import Call, CallAlias
from calls.postgres.waits import lock_texts

# Sent with `names`, before they are locked. Receivers return further names that the lock has to cover.
names_come_along = Signal()

_FIELDS = "call.id, call.call_sid, call.conversation_id, call.agent_id, call.name_rank"
_OWNERS = f"""
    SELECT {_FIELDS}, NULL FROM calls_call AS call WHERE call_sid IN ({{names}}) OR conversation_id IN ({{names}})
    UNION ALL
    SELECT {_FIELDS}, alias.name FROM calls_callalias AS alias JOIN calls_call AS call ON call.id = alias.call_id
    WHERE alias.name IN ({{names}})
"""  # noqa: S608  (the inserted texts are constants and placeholders)


def is_printable(name: str) -> bool:
    """Whether it has no control characters, line ends or lone surrogates: any script, any space, any emoji is fine."""
    return name.isprintable() or not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)


class Owner(NamedTuple):
    """The columns of a call that linking needs."""

    pk: int
    call_sid: str
    conversation_id: str | None
    agent_id: str
    name_rank: int


class Known:
    """The calls that have or had some names, indexed by name."""

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
        """Return the call that has or had this name; a present `call_sid` wins over another's `conversation_id`."""
        return self._by_call_sid.get(name) or self._by_conversation.get(name) or self._by_alias.get(name)

    def of_conversation(self, conversation_id: str) -> Owner | None:
        """Return the call of a conversation, also if the ID is a former one or was sent as the call's `call_sid`."""
        if call := self._by_conversation.get(conversation_id):
            return call
        told = self._by_call_sid.get(conversation_id)
        return told if told is not None and told.conversation_id is None else self._by_alias.get(conversation_id)


def look_up(names: Iterable[str]) -> Known:
    """Find the calls of all names in one query; the ORM would need two, and three times as long to write them."""
    names = list(names)
    if not names:
        return Known([])
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS.format(names=", ".join(["%s"] * len(names))), names * 3)
        return Known(cursor.fetchall())


def lock_names(names: Iterable[str | None]) -> None:
    """Lock these names until the transaction ends, so that nobody else looks for them and creates a call meanwhile.

    All callers lock in one order. On SQLite nothing is needed, because a transaction that writes is alone.
    """
    lock_texts(name for name in names if name)


def hold_if_free(names: Iterable[str]) -> bool:
    """Lock these names if no call has one of them, and tell whether that is so.

    Otherwise no lock stays, because a caller that finds a call may have to lock more names.
    """
    names = list(names)
    with transaction.atomic():  # a savepoint: a rollback to it releases the locks
        lock_names(names)
        free = not look_up(names).calls
        if not free:
            transaction.set_rollback(True)
    return free


def hold_names(names: Iterable[str]) -> Known:
    """Lock all names that naming a call may involve, before the first row is locked; return the calls that have them.

    These are all names of the calls that have one of `names`, of the deliveries that wait for one of those, and so on.
    If more names have come up once all are locked, the locks are released and taken anew: everybody locks in one order,
    so there is no deadlock.
    """
    names = set(names)
    wanted, _ = _with_what_comes_along(names)
    while True:
        with transaction.atomic():
            lock_names(wanted)
            found, known = _with_what_comes_along(names)
            if found <= wanted:
                return known
            wanted = found
            transaction.set_rollback(True)


def _with_what_comes_along(names: set[str]) -> tuple[set[str], Known]:
    """Return all names that may have to be locked together with these, and the calls that have them now."""
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
    """Return every name that the call has or had."""
    aliases = CallAlias.objects.filter(call=call).values_list("name", flat=True)
    return {name for name in (call.call_sid, call.conversation_id, *aliases) if name}
