"""The filters of the list of calls. An index of `Call` serves each filter, alone and within a range of days.

`calls.admin` lists the filters in the order of the page. Other pages link to them by the names of their parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest

from calls.access import agents_of_request
from calls.call_list import days
from calls.call_list.agents import agents_with_names
from calls.call_list.options import NOT_KNOWN, CallFilter, Choice, Exactly, Option, Options, by_value, options
from calls.models import Call, CallRecording, CallTranscription
from calls.models.call_in_database import REASON_INDEXED
from calls.silence import STARTED

TRUE, FALSE = ("1", "True", "true"), ("0", "False", "false")
_RECORDED = Q(Exists(CallRecording.objects.filter(call=OuterRef("pk"))))
# equal to `last_sequence_number > 0`, which has no index: turns are numbered from 1 without gaps
_HEARD = Q(Exists(CallTranscription.objects.filter(call=OuterRef("pk"), sequence_number=1)))
# the second half is the condition of the index `call_heard_nothing`, which live turns never change
_NOTHING_HEARD = Q(last_sequence_number=0) & (Q(final_sequence_number=0) | Q(final_sequence_number__isnull=True))


class StartedFilter(CallFilter):
    """A filter by the day on which a call started, from one day to another, both inside.

    As in the API, a call whose start is not known counts by its registration.
    """

    title = "started"
    parameter_names = ("started_from", "started_to")
    is_form = True

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Call], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        first, last = (days.day_of(self.said.get(name, "")) for name in self.parameter_names)
        self.first, self.last = first, last
        for name, day in zip(self.parameter_names, (first, last), strict=True):
            if name in self.said and day is None:
                self.error = f"{name} is not a day. Write it as YYYY-MM-DD, such as {days.today()}."
        if first and last and first > last:
            self.error = "The first day is behind the last one."

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        if self.error:
            return queryset.none()
        if not self.said:
            return queryset
        queryset = queryset.alias(started=STARTED)
        if self.first:
            queryset = queryset.filter(started__gte=days.beginning(self.first))
        if self.last:
            queryset = queryset.filter(started__lt=days.end(self.last))
        return queryset

    def choices(self, changelist: Any) -> Iterator[Choice]:
        yield self.link(changelist, "Any time", {}, selected=not self.said)
        for title, first, last in days.ranges(days.today()):
            said = {"started_from": first.isoformat(), "started_to": last.isoformat()}
            yield self.link(changelist, title, said, selected=(first, last) == (self.first, self.last))

    @property
    def fields(self) -> list[dict[str, str]]:
        """Return the form's fields, one per day."""
        labels = zip(self.parameter_names, ("From", "to"), strict=True)
        return [days.field(name, label, self.said.get(name, "")) for name, label in labels]


class StatusFilter(Options):
    title = "status"
    parameter_names = ("status__exact",)
    options = by_value("status__exact", "status", Call.Status.choices)


class OutcomeFilter(Options):
    """A filter by the verdict of ElevenLabs' analysis."""

    title = "outcome"
    parameter_names = ("call_successful__exact", "call_successful__isnull")
    options = (
        Option("Successful", "call_successful__exact", TRUE, Q(call_successful=True)),
        Option("Not successful", "call_successful__exact", FALSE, Q(call_successful=False)),
        Option("Unknown", "call_successful__isnull", ("True", "true", "1"), Q(call_successful__isnull=True)),
    )


class DirectionFilter(Options):
    title = "direction"
    parameter_names = ("direction__exact",)
    options = by_value("direction__exact", "direction", Call.Direction.choices)


class RecordingFilter(Options):
    title = "recording"
    parameter_names = ("recording",)
    options = options("recording", ("yes", "Yes", _RECORDED), ("no", "No", ~_RECORDED))


class HeardFilter(Options):
    """A filter by whether any turn was heard live."""

    title = "heard live"
    parameter_names = ("heard",)
    options = options("heard", ("live", "Yes", _HEARD), ("not", "No", _NOTHING_HEARD))


class AgentFilter(CallFilter):
    """A filter by agent, of those that the user may see. An empty parameter selects calls whose agent is not known."""

    title = "agent"
    parameter_names = ("agent_id__exact",)
    takes_blank = True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        return queryset if self.agent is None else queryset.filter(agent_id=self.agent)

    @property
    def agent(self) -> str | None:
        return self.said.get("agent_id__exact")

    def choices(self, changelist: Any) -> Iterator[Choice]:
        yield self.link(changelist, "Any", {}, selected=self.agent is None)
        named = agents_with_names(agents_of_request(self.request))
        if self.agent is not None and self.agent not in named:
            named = {self.agent: self.agent or NOT_KNOWN, **named}
        for agent_id, name in named.items():
            yield self.link(changelist, name, {"agent_id__exact": agent_id}, selected=agent_id == self.agent)


class DriverFilter(Exactly):
    title = "driver"
    parameter_names = ("driver_id__exact",)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        return queryset.filter(driver_id=self.said["driver_id__exact"])


class ReasonFilter(Exactly):
    """A filter by the whole failure reason. An empty parameter selects failed calls without a reason.

    The index holds only the beginning of a reason, because a reason may be longer than an index entry can be.
    """

    title = "failure reason"
    parameter_names = ("failure_reason__exact",)
    takes_blank = True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        reason = self.said["failure_reason__exact"]
        if not reason:
            return queryset.filter(status=Call.Status.FAILED, failure_reason="")
        begins = queryset.alias(reason_begins=Left("failure_reason", REASON_INDEXED))
        return begins.filter(failure_reason=reason, reason_begins=reason[:REASON_INDEXED])
