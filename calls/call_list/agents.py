"""The agents that a filter offers. A loose index scan finds them: its cost does not grow with the number of calls."""

from __future__ import annotations

from collections import Counter

from django.db import connection
from django.db.models import OuterRef, Subquery

from calls.access import Agents
from calls.models import AgentAccess, Call

AGENTS_SHOWN = 200
# a loose index scan: each step finds the next agent_id; an agent's name is the one on its newest call
OF_ALL_CALLS = """
    WITH RECURSIVE agent (id, place) AS (
        SELECT min(agent_id), 1 FROM calls_call WHERE agent_id > ''
        UNION ALL
        SELECT (SELECT min(agent_id) FROM calls_call WHERE agent_id > agent.id), place + 1
        FROM agent WHERE agent.id IS NOT NULL AND place < %s
    )
    SELECT id, (SELECT agent_name FROM calls_call WHERE agent_id = agent.id ORDER BY id DESC LIMIT 1)
    FROM agent WHERE id IS NOT NULL
"""


def agents_with_names(agents: Agents) -> dict[str, str]:
    """Return up to AGENTS_SHOWN agents, by agent ID, with the title of each, sorted by title.

    The title is the agent's name; the ID, if the agent has no name; both, if two agents have the same name.
    """
    told = dict(_all() if agents is None else _limited(agents))
    count = Counter(told.values())
    shown = {
        agent_id: (name if count[name] == 1 else f"{name} ({agent_id})") if name else agent_id
        for agent_id, name in told.items()
    }
    return dict(sorted(shown.items(), key=lambda agent: agent[1].casefold()))


def _all() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(OF_ALL_CALLS, [AGENTS_SHOWN])
        return list(cursor.fetchall())


def _limited(agents: frozenset[str]) -> list[tuple[str, str]]:
    """Return ID and name of the agents that a limited user may see, also of those that have no call yet (name "")."""
    newest = Call.objects.filter(agent_id=OuterRef("agent_id")).order_by("-id").values("agent_name")[:1]
    told = AgentAccess.objects.filter(agent_id__in=agents).order_by("agent_id").values("agent_id").distinct()
    return [(row["agent_id"], row["name"] or "") for row in told.annotate(name=Subquery(newest))[:AGENTS_SHOWN]]
