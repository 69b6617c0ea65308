"""The page of numbers in the admin, and the link to it above the list of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from calls.access import agents_of_request, visible
from calls.call_list import days
from calls.call_page.rooms import links_above_list
from calls.models import Call
from calls.numbers.figures import calls_of, groups_of, reasons_of, total
from calls.numbers.links import AGENT, DAYS, link_to_numbers
from calls.numbers.rows import HEADINGS, REASON_HEADINGS, cells_of, rows_of_agents, rows_of_days, rows_of_reasons
from calls.numbers.span import BadSpan, Span, span_of, this_month, usual_spans
from calls.postgres.waits import TookTooLong, at_most
from calls.zone import zone

if TYPE_CHECKING:
    from calls.readonly_admin import ReadOnlyAdmin as Admin
else:
    Admin = object

MILLISECONDS = 8_000  # limit of each of the two statements


class NumbersOfCalls(Admin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.numbers)
        return [path("numbers/", view, name="calls_call_numbers"), *super().get_urls()]

    def numbers(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        agent_id = request.GET.get(AGENT)
        span, shown, status = this_month(), dict[str, Any](), 200
        try:
            span = span_of(request.GET, DAYS)
            shown = _numbers(visible(Call.objects.all(), agents_of_request(request)), span, agent_id)
        except BadSpan as error:
            status, shown["problem"] = 400, str(error)
        except TookTooLong:
            status, shown["problem"] = 503, "To count so many calls takes too long. Choose fewer days, or one agent."
        context = {
            **self.admin_site.each_context(request),
            "title": "Numbers",
            "opts": self.opts,
            "span": span,
            "fields": [
                days.field(name, label, request.GET.get(name, str(day)) if status == 400 else str(day))
                for name, label, day in zip(DAYS, ("From", "to"), span, strict=True)
            ],
            "usual": [
                (title, link_to_numbers(one, agent_id), one == span and status != 400) for title, one in usual_spans()
            ],
            "agent_id": agent_id,
            "all_agents": link_to_numbers(span),
            "zone": zone().key,
            "headings": HEADINGS,
            "reason_headings": REASON_HEADINGS,
            **shown,
        }
        return TemplateResponse(request, "calls/numbers.html", context, status=status)


def _numbers(calls: QuerySet[Call], span: Span, agent_id: str | None) -> dict[str, Any]:
    """Return the numbers for the template, of one agent if `agent_id` is not None. Raises TookTooLong."""
    calls = calls_of(span, calls, agent_id)
    with at_most(MILLISECONDS):
        groups, reasons = groups_of(calls), reasons_of(calls)
    whole = total(group.figures for group in groups)
    return {
        "whole": whole,
        "figures": list(zip(HEADINGS, cells_of(whole, span, agent_id), strict=True)),
        "agents": rows_of_agents(groups, span) if agent_id is None else [],
        "days": rows_of_days(groups, span, agent_id),
        "reasons": rows_of_reasons(reasons, span, agent_id),
        "agent_name": max((group.agent_name for group in groups), default="") if agent_id else "",
    }


def numbers_link(request: HttpRequest) -> str:
    """Return the link to the numbers of the list's agent and days; without a first day, of the agent alone."""
    kept = (*DAYS, AGENT) if request.GET.get(DAYS[0]) else (AGENT,)
    query = request.GET.copy()
    for name in [name for name in query if name not in kept]:
        del query[name]
    address = reverse("admin:calls_call_numbers") + (f"?{query.urlencode()}" if query else "")
    return format_html('<a href="{}">Numbers</a>', address)


links_above_list.append(numbers_link)
