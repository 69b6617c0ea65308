"""Link many events at once: find the events that need no linking, and store further names of their calls.

The results equal those of `calls.linking.link` for events that name a call by its `conversation_id`, with two queries
in all. Events that need a merge, a rename or a wait are left to `link`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import connection

from calls.linking import Reference, is_better, is_new, names_in
from calls.models import Call, CallAlias
from calls.names import Known, Owner, look_up


def nothing_to_link(references: Iterable[Reference]) -> dict[str, set[str]]:
    """Return the names that each call has to learn as aliases, by `conversation_id`, without events that need more.

    The names stay locked until the transaction ends. An event is left out if another transaction holds one of its
    names.
    """
    references = list(references)
    held = _held({text for reference in references for text in reference.texts})
    known = look_up(held)
    result: dict[str, set[str]] = {}
    taken = set[str]()
    for reference in references:
        if reference.conversation_id is None or not held.issuperset(reference.texts):
            continue
        call = known.of_conversation(reference.conversation_id)
        if call is None or call.conversation_id != reference.conversation_id:
            continue
        new = _new_aliases(call, reference, known)
        if new is not None and taken.isdisjoint(new):
            result[reference.conversation_id] = new
            taken |= new
    return result


def learn(aliases: Mapping[Call, Iterable[str]]) -> None:
    """Store further names of calls as aliases."""
    CallAlias.objects.bulk_create(
        [CallAlias(call=call, name=name) for call, names in aliases.items() for name in sorted(names)]
    )


def _new_aliases(call: Owner, reference: Reference, known: Known) -> set[str] | None:
    """Return the names to store as aliases; None if the event needs more than that."""
    new = set[str]()
    for name in names_in(reference, call.conversation_id):
        owner = known.owner(name.text)
        if owner is None and not is_better(name, call):
            new.add(name.text)
        elif owner is None or owner.pk != call.pk or is_new(name, call, known):
            return None
    return new


def _held(names: set[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_try_advisory_xact_lock(hashtextextended(name, 0))",
            [list(names)],
        )
        return {name for (name,) in cursor.fetchall()}
