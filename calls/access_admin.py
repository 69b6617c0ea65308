"""Admin pages for access: the agents whose calls a user or a group may see, and the access log."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string

from calls.access import agents_of_request, visible
from calls.call_page.rooms import sections_of_call
from calls.models import AccessLogEntry, AgentAccess, Call
from calls.names import names_of
from calls.readonly_admin import KnownLookups, ReadOnlyAdmin, time_column, words_column

SEEN_BY_SHOWN = 8
TIME = time_column("at", "time")
NAMES = (words_column("call_sid", "call SID"), words_column("conversation_id", "conversation ID"))


class AgentAccessInline(admin.TabularInline):  # type: ignore[type-arg]
    """The agents whose calls a user or a group may see, as rows on its page.

    The rows of a user and of all its groups add up. Without any row, CALLS_VISIBLE_BY_DEFAULT decides.
    """

    model = AgentAccess
    fields = ("agent_id",)
    extra = 0


class LimitedUserAdmin(KnownLookups, UserAdmin):  # type: ignore[type-arg]
    """Django's page of a user, with the agents whose calls the user may see.

    Without KnownLookups, staff could guess the hash of a password with `?groups__user__password__startswith=`.
    """

    inlines = (*UserAdmin.inlines, AgentAccessInline)


class LimitedGroupAdmin(KnownLookups, GroupAdmin):
    """Django's page of a group, with the agents whose calls all members of the group may see."""

    inlines = (*GroupAdmin.inlines, AgentAccessInline)


for model, with_agents in ((get_user_model(), LimitedUserAdmin), (Group, LimitedGroupAdmin)):
    admin.site.unregister(model)
    admin.site.register(model, with_agents)


@admin.register(AccessLogEntry)
class AccessLogEntryAdmin(ReadOnlyAdmin):
    """The access log. A staff user who is limited to agents sees only the entries about the calls of those agents."""

    list_display = (TIME, "user_name", "kind", words_column("detail", "detail"), *NAMES, "address")
    list_filter = ("kind", "at")
    sortable_by = (TIME, "user_name", "kind", *NAMES)
    search_fields = ("call_sid__exact", "conversation_id__exact", "user_name__exact")
    search_help_text = "A whole call SID, conversation ID or user name."
    links = ("call_id",)
    page_kind = None

    def get_search_results(
        self, request: HttpRequest, rows: QuerySet[AccessLogEntry], text: str
    ) -> tuple[QuerySet[AccessLogEntry], bool]:
        """Search by any name of a call: return the entries about that call under all of its names."""
        if text and (call := visible(Call.objects.all(), agents_of_request(request)).named(text)) is not None:
            return rows.filter(of_call(call)), False
        return super().get_search_results(request, rows, text)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessLogEntry]:
        entries, agents = AccessLogEntry.objects.all(), agents_of_request(request)
        return (
            entries if agents is None else entries.filter(call_id__in=visible(Call.objects.all(), agents).values("pk"))
        )


def of_call(call: Call) -> Q:
    """Return the condition for a call's entries, including entries from when it had another name or was two rows."""
    names = names_of(call)
    return Q(call_id=call.pk) | Q(call_sid__in=names) | Q(conversation_id__in=names)


def seen_by(request: HttpRequest, call: Call) -> str:
    """Return HTML for a call's page: the users who looked at the call last, and a link to all of them."""
    if not request.user.has_perm("calls.view_accesslogentry"):
        return ""
    newest = AccessLogEntry.objects.filter(of_call(call)).order_by("-pk")[:SEEN_BY_SHOWN]
    return render_to_string("calls/seen_by.html", {"call": call, "newest": newest})


sections_of_call.append(seen_by)
