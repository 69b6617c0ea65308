"""The calls before and after a call in the list that the reader came from, with its filters, search and order."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus, urlencode

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from calls.bounded_count import MILLISECONDS
from calls.models import Call
from calls.postgres.waits import TookTooLong, at_most

if TYPE_CHECKING:
    from calls.readonly_admin import ReadOnlyAdmin

LOOKED_AT, LOOKED_AT_IN_HASTE = 5_000, 200  # calls read from the top of the list; fewer in a second try
FILTERS = "_changelist_filters"  # the parameter in which Django's links from a list carry its filters


@dataclass(frozen=True, slots=True)
class Neighbours:
    """URLs of the neighbours' pages and of the list, "" for none. `place` is the call's place in the list, from 1."""

    previous: str = ""
    following: str = ""
    place: int | None = None
    list: str = ""


def neighbours_of(call: Call, admin: ReadOnlyAdmin, request: HttpRequest) -> Neighbours:
    """Return the neighbours of a call in the reader's list.

    One statement reads the keys of the list's first LOOKED_AT calls; a call after them has no neighbours. If that takes
    too long, as a search for a common word within a rare filter may, another statement reads LOOKED_AT_IN_HASTE.
    """
    filters = request.GET.get(FILTERS, "")
    if "\x00" in unquote_plus(filters):  # a list refuses it in its URL
        filters = ""
    address = reverse("admin:calls_call_changelist") + (f"?{filters}" if filters else "")
    listed = copy.copy(request)
    try:
        query = QueryDict(filters, mutable=True)
        query.pop("p", None)
        listed.GET = query  # type: ignore[assignment]
        keys = _first_keys(admin.get_changelist_instance(listed).queryset)
    except (IncorrectLookupParameters, SuspiciousOperation):
        return Neighbours(list=reverse("admin:calls_call_changelist"))
    if call.pk not in keys:
        return Neighbours(list=address)
    place = keys.index(call.pk)
    return Neighbours(
        previous=page_of(keys[place - 1], filters) if place else "",
        following=page_of(keys[place + 1], filters) if place + 1 < len(keys) else "",
        place=place + 1,
        list=address,
    )


def _first_keys(rows: QuerySet[Call]) -> list[int]:
    for most in (LOOKED_AT, LOOKED_AT_IN_HASTE):
        try:
            with at_most(MILLISECONDS):
                return list(rows.values_list("pk", flat=True)[:most])
        except TookTooLong:
            continue
    return []


def list_of(query: Mapping[str, str]) -> str:
    """Return the URL of the list of calls with these filters."""
    return f"{reverse('admin:calls_call_changelist')}?{urlencode(query)}"


def page_of(pk: int, filters: str = "") -> str:
    """Return the URL of a call's page; `filters` is the query string of the list that the reader comes from."""
    address = reverse("admin:calls_call_change", args=[pk])
    return f"{address}?{urlencode({FILTERS: filters})}" if filters else address
