"""The calls of an export, and the pages in which they are read."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.urls import reverse

from calls import access_log
from calls.access import agents_of, visible
from calls.access_log import Kind, Subject, Visitor
from calls.export import call_rows, turn_rows
from calls.export.cells import Cell, lines
from calls.models import Call, CallRecording

PERMISSIONS = ("calls.view_call", "calls.export_call")


class NotAllowedAnyMore(Exception):
    """The user lost a permission while the export was under way."""


class Form(NamedTuple):
    """A form of the export. `rows` makes the rows of a page of calls; `unread` names fields that the query defers.

    `size`: calls per page, whose transcripts are in memory at once.
    """

    title: str
    size: int
    heading: Callable[[], list[str]]
    rows: Callable[[Sequence[Call], Callable[[Call], str]], Iterator[Sequence[Cell]]]
    unread: tuple[str, ...]


def keys_of(calls: QuerySet[Call]) -> array[int]:
    """Return the keys of these calls in order, 8 bytes per key. One statement: no call is missing or comes twice."""
    try:
        sql, parameters = calls.values_list("pk").query.sql_with_params()
    except EmptyResultSet:
        return array("q")
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return array("q", (row[0] for row in cursor))


def page_of(keys: Sequence[int], form: Form, visitor: Visitor, site: str) -> bytes:
    """Write the visitor into the access log, then return the CSV lines of those calls that still exist.

    Calls that the visitor may not see any more are left out. `site` is the beginning of all URLs. Raises
    django.db.Error, and NotAllowedAnyMore if the visitor lost a permission.
    """
    user = get_user_model().objects.filter(pk=visitor.user_id, is_active=True, is_staff=True).first()
    if user is None or not user.has_perms(PERMISSIONS):
        raise NotAllowedAnyMore
    found = visible(Call.objects.filter(pk__in=list(keys)), agents_of(user)).defer("search_words", *form.unread)
    known = {call.pk: call for call in found}
    calls = [known[key] for key in keys if key in known]
    entries = [access_log.entry(visitor, Kind.EXPORT, Subject.of(call), form.title) for call in calls]
    access_log.write([entry for entry in entries if entry is not None])
    return lines(form.rows(calls, lambda call: site + reverse("admin:calls_call_change", args=[call.pk])))


def _a_row_a_call(calls: Sequence[Call], address: Callable[[Call], str]) -> Iterator[Sequence[Cell]]:
    of_calls = CallRecording.objects.filter(call__in=[call.pk for call in calls])
    recorded = set(of_calls.values_list("call_id", flat=True))
    for call in calls:
        yield call_rows.cells_of(call, address(call), call.pk in recorded)


def _a_row_a_turn(calls: Sequence[Call], address: Callable[[Call], str]) -> Iterator[Sequence[Cell]]:
    live = turn_rows.live_turns(calls)
    for call in calls:
        yield from turn_rows.rows_of(call, address(call), live.get(call.pk, []))


FORMS = {
    "calls": Form("A row a call", 100, call_rows.heading, _a_row_a_call, call_rows.UNREAD),
    "turns": Form("A row a turn", 10, turn_rows.heading, _a_row_a_turn, turn_rows.UNREAD),
}
