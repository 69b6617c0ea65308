"""Decide which calls a user may see: REST, sockets, pages, deliveries and the admin all ask here.

Permissions say what a user may do with calls. `AgentAccess` says with which calls: those of the listed agents.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import HttpRequest

from calls.models import AgentAccess

# The agents whose calls a user may see. None: every call, also a call whose agent is unknown.
type Agents = frozenset[str] | None

NOBODYS: frozenset[str] = frozenset()


def agents_of(user: AbstractBaseUser | AnonymousUser) -> Agents:
    """Return the agents whose calls a user may see. It reads the database each time, so a change applies at once."""
    return NOBODYS if user.pk is None else agents_of_each([user])[user.pk]


def agents_of_request(request: HttpRequest) -> Agents:
    """Return the agents of a request's user. They are read once per request, because a page asks for several lists."""
    known: tuple[Agents] | None = getattr(request, "known_agents", None)
    if known is None:
        known = request.known_agents = (agents_of(request.user),)  # type: ignore[attr-defined]
    return known[0]


def agents_of_each(users: Collection[Any]) -> dict[int, Agents]:
    """Return the agents per user key, for many users in one query. Superusers are unlimited and need no query."""
    default = None if settings.CALLS_VISIBLE_BY_DEFAULT == "all" else NOBODYS
    ids = [user.pk for user in users if not getattr(user, "is_superuser", False)]
    told: dict[int, set[str]] = {}
    if ids:
        own = AgentAccess.objects.order_by().filter(user__in=ids).values_list("user_id", "agent_id")
        of_groups = AgentAccess.objects.order_by().filter(group__user__in=ids)
        for user_id, agent_id in own.union(of_groups.values_list("group__user", "agent_id"), all=True):
            told.setdefault(user_id, set()).add(agent_id)
    limited: dict[int, Agents] = {pk: frozenset(told[pk]) if pk in told else default for pk in ids}
    return {user.pk: None for user in users} | limited


def may_see(agents: Agents, agent_id: str) -> bool:
    """Tell whether `agents` include the agent of a call; an `agent_id` of "" means that the agent is unknown."""
    return agents is None or agent_id in agents


def visible[Rows: QuerySet[Any]](rows: Rows, agents: Agents, agent_id: str = "agent_id") -> Rows:
    """Return the rows whose call belongs to one of the agents.

    `agent_id` is the look-up path from a row to the agent of its call, such as "call__agent_id".
    """
    return rows if agents is None else rows.filter(**{f"{agent_id}__in": agents})
