"""The export in the admin: links above the list of calls, and the view that sends the file."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from calls import access_log
from calls.access_log import Kind, NotLogged, Subject, Visitor
from calls.call_page.rooms import links_above_list
from calls.export.places import Full, Place
from calls.export.selection import FORMS, PERMISSIONS, keys_of
from calls.export.stream import Export
from calls.models import Call
from calls.templatetags.calls import in_zone

if TYPE_CHECKING:
    from calls.readonly_admin import ReadOnlyAdmin as Admin
else:
    Admin = object

ROWS = "rows"
NO_FILTERS = (ROWS, PAGE_VAR, ALL_VAR, ERROR_FLAG)
NOBODY = Subject(None, "", None)  # this row of the access log is about the whole export


class ExportCalls(Admin):
    """An admin mixin that exports exactly the calls that the list shows, of all its pages and in its order."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export)
        return [path("export/", view, name="calls_call_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        if not request.user.has_perms(PERMISSIONS):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        rows = request.GET.get(ROWS, "calls")
        if rows not in FORMS:
            return _refusal(400, f"rows is one of: {', '.join(FORMS)}.")
        try:
            return self._file(request, rows)
        except Full as full:
            return _refusal(full.status, str(full))
        except NotLogged as error:
            return _refusal(error.status_code, str(error.detail))
        except IncorrectLookupParameters as error:
            return _refusal(400, f"The list has no such filter or value. Use its links and fields. {error}".strip())

    def _file(self, request: HttpRequest, rows: str) -> HttpResponseBase:
        visitor = Visitor.of(request)
        place = Place(visitor.user_id)
        with ExitStack() as on_failure:
            on_failure.callback(place.give_back)
            filters = _without_page(request)
            form, keys = FORMS[rows], keys_of(self._listed(request, filters))
            detail = f"{form.title}, {len(keys):,} calls, {unquote_plus(filters.urlencode()) or 'no filter'}"
            access_log.note(request, Kind.EXPORT, [NOBODY], detail)
            site = request.build_absolute_uri("/").rstrip("/")
            export = Export(place, keys, form, visitor, site)
            on_failure.pop_all()
        response = StreamingHttpResponse(export)
        response["Content-Type"] = "text/csv; charset=utf-8"
        response["Content-Disposition"] = f'attachment; filename="{file_name(rows)}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def _listed(self, request: HttpRequest, filters: QueryDict) -> QuerySet[Call]:
        """Return the calls that the list shows with these filters. Raises IncorrectLookupParameters."""
        request.GET = filters  # type: ignore[assignment]
        changelist = self.get_changelist_instance(request)
        if problems := [said for one in changelist.filter_specs if (said := getattr(one, "error", ""))]:
            raise IncorrectLookupParameters(" ".join(problems))
        calls: QuerySet[Call] = changelist.queryset
        return calls


def export_link(rows: str, title: str, request: HttpRequest) -> str:
    """Return the link that exports the list of this request; "" for a user who may not export calls."""
    if not request.user.has_perms(PERMISSIONS):
        return ""
    query = _without_page(request)
    query[ROWS] = rows
    address = f"{reverse('admin:calls_call_export')}?{query.urlencode()}"
    return format_html('<a href="{}" class="export">{}</a>', address, title)


links_above_list += [partial(export_link, "calls", "Export calls"), partial(export_link, "turns", "Export transcripts")]


def _without_page(request: HttpRequest) -> QueryDict:
    """Return the filters, search and order of a list, without its page number."""
    query = request.GET.copy()
    for name in NO_FILTERS:
        query.pop(name, None)
    return query


def file_name(rows: str) -> str:
    return f"callsite-{rows}-{in_zone(datetime.now(UTC)):%Y-%m-%d}.csv"


def _refusal(status: int, text: str) -> HttpResponse:
    headers = {"Retry-After": "30"} if status in (429, 503) else None
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
