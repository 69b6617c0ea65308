"""Names of many calls at once: which events have nothing to link, and the further names that their calls learn.

The same results as `calls.linking.link` for events that name a call by its `conversation_id`, with two queries in all.
Whatever has to be merged, renamed or waited for is left to `link`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import connection

from calls.linking import NameRank, Reference, is_better
from calls.models import Call, CallAlias


def nothing_to_link(references: Iterable[Reference]) -> dict[str, set[str]]:
    """By `conversation_id`, the names that each call has to learn as aliases; events with more to do are left out.

    The names are held until the transaction ends. Where somebody else holds one, its event is left out.
    """
    references = list(references)
    held = _held({text for reference in references for text in reference.texts})
    owners = _owners(held)
    conversations = [reference.conversation_id for reference in references]
    fields = ("call_sid", "conversation_id", "agent_id", "name_rank")
    calls = {
        call.conversation_id: call for call in Call.objects.only(*fields).filter(conversation_id__in=conversations)
    }
    result: dict[str, set[str]] = {}
    taken = set[str]()
    for reference in references:
        call = calls.get(reference.conversation_id)
        if call is None or not held.issuperset(reference.texts):
            continue
        new = _new_aliases(call, reference, owners)
        if new is not None and taken.isdisjoint(new) and reference.conversation_id:
            result[reference.conversation_id] = new
            taken |= new
    return result


def learn(aliases: Mapping[Call, Iterable[str]]) -> None:
    """Store further names of calls."""
    CallAlias.objects.bulk_create(
        [CallAlias(call=call, name=name) for call, names in aliases.items() for name in sorted(names)]
    )


def _new_aliases(call: Call, reference: Reference, owners: Mapping[str, int]) -> set[str] | None:
    """None: there is more to do than to store aliases."""
    new = set[str]()
    for name in reference.names:
        owner = owners.get(name.text)
        if owner is None:
            if call.name_rank < NameRank.REGISTERED and is_better(name, call):
                return None
            new.add(name.text)
        elif owner != call.pk or (name.text == call.call_sid and name.rank > call.name_rank):
            return None
    return new


def _held(names: set[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_try_advisory_xact_lock(hashtextextended(name, 0))",
            [list(names)],
        )
        return {name for (name,) in cursor.fetchall()}


def _owners(names: set[str]) -> dict[str, int]:
    """The call of each name that one has or had as `call_sid`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, call_id FROM calls_callalias WHERE name = ANY(%(names)s)"
            " UNION ALL SELECT call_sid, id FROM calls_call WHERE call_sid = ANY(%(names)s)",
            {"names": list(names)},
        )
        return dict(cursor.fetchall())
