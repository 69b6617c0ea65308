"""Reviewing in the admin: the view behind the forms of a call's page, and the action of the list of calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html

from calls import access_log
from calls.bidi import words
from calls.call_page.neighbours import FILTERS, neighbours_of, page_of
from calls.call_page.rooms import links_from_call
from calls.call_page.turns import conversation_of
from calls.models import Call
from calls.races import persistently
from calls.review import reviewing
from calls.review.labels import names_in, written
from calls.review.panel import review_url
from calls.review.places import place_of, row_at, row_named, second_in
from calls.review.refusals import NotReviewed

AT_ONCE = 200
Said = tuple[str, int, str]  # message to the reviewer, its level, and the anchor at which the page opens

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Call]
else:
    _Admin = object


def review_button(request: HttpRequest, call: Call) -> str:
    """Return the review button for the head of a call's page; "" for a user who may not review."""
    if not request.user.has_perm("calls.review_call"):
        return ""
    return render_to_string("calls/review/button.html", {"call": call, "url": review_url(call, request)}, request)


links_from_call.append(review_button)


class ReviewCalls(_Admin):
    """An admin mixin that takes the forms of a call's page: POST, then redirect. The field `do` names the action."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.review)
        return [path("<int:object_id>/review/", view, name="calls_call_review"), *super().get_urls()]

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("calls.review_call")

    def review(self, request: HttpRequest, object_id: int) -> HttpResponse:
        call = self.get_object(request, str(object_id))
        if call is None:
            raise Http404("There is no such call.")
        if not (self.has_view_permission(request, call) and self.has_review_permission(request)):
            raise PermissionDenied
        address = page_of(call.pk, request.GET.get(FILTERS, ""))
        done = _DOES.get(request.POST.get("do", "")) if request.method == "POST" else None
        if done is None:  # such as the GET after the user signed in again
            return HttpResponseRedirect(address)
        following = self._next_to_review(request, call) if done is _mark else ""
        try:
            text, level, place = persistently(partial(done, request, call))
        except NotReviewed as refusal:
            text, level, place = str(refusal), messages.ERROR, "#review"
        except Call.DoesNotExist as error:
            raise Http404("The call was deleted, or is another one by now.") from error
        except access_log.NotLogged as error:
            return HttpResponse(str(error.detail), status=error.status_code, content_type="text/plain")
        if following:
            address, place = following, ""
            name = format_html('<a href="{}">{}</a>', page_of(call.pk), words(call.call_sid))
            text = format_html("{} is reviewed. This is the next one.", name)
        if text:
            self.message_user(request, text, level)
        return HttpResponseRedirect(f"{address}{place}")

    def _next_to_review(self, request: HttpRequest, call: Call) -> str:
        """Return the URL of the next call if the reader came from a list of calls that are not reviewed; else "".

        The caller asks before it marks the call: afterwards the call is not in that list any more.
        """
        filters = QueryDict(request.GET.get(FILTERS, ""))
        return neighbours_of(call, self, request).following if filters.get("reviewed") == "no" else ""  # type: ignore[arg-type]

    @admin.action(description="Mark as reviewed", permissions=["review"])
    def mark_reviewed(self, request: HttpRequest, calls: QuerySet[Call]) -> None:
        """Mark at most AT_ONCE of these calls, the newest first, each in its own transaction."""
        rows = list(calls.filter(reviewed_at__isnull=True).order_by("-pk").only("pk")[: AT_ONCE + 1])
        marked = others = 0
        for call in rows[:AT_ONCE]:
            try:
                marked += persistently(partial(reviewing.mark, request, call))
            except (Call.DoesNotExist, Error, access_log.NotLogged):
                others += 1
        text = f"Marked {marked} call{'' if marked == 1 else 's'} as reviewed."
        if others:
            text += f" {others} could not be marked now."
        if len(rows) > AT_ONCE:
            text += f" At most {AT_ONCE} are marked at once; do it again for the others."
        self.message_user(request, text, messages.WARNING if others or len(rows) > AT_ONCE else messages.SUCCESS)


def _mark(request: HttpRequest, call: Call) -> Said:
    reviewing.mark(request, call)
    return "This call is reviewed.", messages.SUCCESS, ""


def _take_back(request: HttpRequest, call: Call) -> Said:
    reviewing.take_back(request, call)
    return "This call is not reviewed any more.", messages.SUCCESS, ""


def _add_labels(request: HttpRequest, call: Call) -> Said:
    reviewing.add_labels(request, call, names_in(request.POST.get("label", "")))
    return "", messages.SUCCESS, "#review"


def _take_label_off(request: HttpRequest, call: Call) -> Said:
    reviewing.take_label_off(request, call, written(request.POST.get("label", "")))
    return "", messages.SUCCESS, "#review"


def _write_note(request: HttpRequest, call: Call) -> Said:
    key, clock = request.POST.get("turn", ""), request.POST.get("at", "").strip()
    place: dict[str, Any] = {}
    lost = ""
    if key or clock:
        rows, second = conversation_of(call).rows, second_in(clock)
        row = row_named(rows, key) if key else (None if second is None else row_at(rows, second))
        place = place_of(row)
        if row is None:
            lost = "That turn was not found, so the note is on the whole call."
    note = reviewing.write_note(request, call, request.POST.get("note", ""), place)
    return lost, messages.WARNING, f"#note-{note.pk}"


def _delete_note(request: HttpRequest, call: Call) -> Said:
    note_id = request.POST.get("note", "")
    if not (note_id.isdecimal() and len(note_id) < 19 and reviewing.delete_note(request, call, int(note_id))):
        return "Only who wrote a note deletes it.", messages.ERROR, "#review"
    return "The note is deleted.", messages.SUCCESS, "#review"


_DOES: dict[str, Callable[[HttpRequest, Call], Said]] = {
    "mark": _mark,
    "take-back": _take_back,
    "add-labels": _add_labels,
    "take-label-off": _take_label_off,
    "write-note": _write_note,
    "delete-note": _delete_note,
}
