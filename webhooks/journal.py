"""Collect the facts of a webhook while it is taken in, and write them as one log line at the end.

A line holds ids, types, times and numbers: never what was said, who said it, from which number or with which secret. At
DEBUG each step has a line of its own too, and so has a live turn that was stored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import structlog
from prometheus_client import Counter

from calls.models import Call
from calls.turn import RecordedTurn
from webhooks.errors import CallNotFound, NotAuthenticated, WebhookError
from webhooks.models import WebhookDelivery

logger = structlog.get_logger(__name__)
_levels = logging.getLogger(__name__)  # checked first: a turn must not pay for a line that is not written
Outcome, Route = WebhookDelivery.Outcome, WebhookDelivery.Route
DELIVERIES = Counter("callsite_webhook_deliveries", "Verified webhooks, by route and outcome", ["route", "outcome"])

# Outcomes of webhooks that are not kept: "refused" is the sender's fault, "unavailable" is callsite's.
REFUSED, UNAVAILABLE = "refused", "unavailable"
_EVENTS = {Outcome.UNMATCHED: "waits for its call", UNAVAILABLE: "could not be kept"}
_LEVELS = {
    Outcome.REJECTED: logging.WARNING,
    Outcome.UNMATCHED: logging.WARNING,
    REFUSED: logging.WARNING,
    Outcome.FAILED: logging.ERROR,
    UNAVAILABLE: logging.ERROR,
}
# The fields of a line, in this order.
# fmt: off
_FIELDS = (
    "event", "route", "type", "outcome", "answer", "again", "step", "fault", "reason", "error",
    "conversation_id", "call_sid", "call_id", "status_before", "status_after",
    "event_time", "duration_seconds", "cost", "summary_length", "recording_bytes",
    "sequence_number", "ended", "repeat", "delivery", "digest", "times_received", "ms",
)
# fmt: on


class Entry:
    """The facts of one webhook so far.

    `step` is the present step: receive, authenticate, connect (to the database), recognise (a repeat), decode, parse,
    look up (the call), apply, store.
    """

    def __init__(self, route: str, **facts: Any) -> None:
        self.step = "receive"
        self.turn: tuple[RecordedTurn, bool] | None = None
        self._route, self._facts = str(route), facts
        self._outcome: str = Outcome.APPLIED
        self._verb = ""
        self._error: Exception | None = None
        self._failed_step = ""
        self._began = time.perf_counter()

    def learn(self, **facts: Any) -> None:
        """Add facts that the present step found."""
        self._facts |= facts
        if _levels.isEnabledFor(logging.DEBUG):
            logger.debug("Webhook step", route=self._route, step=self.step, **facts)

    def received(self, size_bytes: int) -> None:
        """Note that the sender is verified and the body has arrived."""
        if _levels.isEnabledFor(logging.DEBUG):
            logger.debug("Webhook received", route=self._route, size_bytes=size_bytes)
        self.step = "connect"

    def found(self, call: Call) -> None:
        """Note the call that the webhook is about."""
        self.learn(call_id=call.pk, call_sid=call.call_sid, status_before=call.former_status or call.status)
        self.step = "apply"

    def applied(self, call: Call) -> None:
        """Note the call after its verb has changed it."""
        before = call.former_status or call.status
        self.learn(call_id=call.pk, call_sid=call.call_sid, status_before=before, status_after=call.status)
        self.step = "store"

    def repeated(self, delivery: WebhookDelivery) -> None:
        """Note that the webhook repeats a kept one, and take the facts from the row of that delivery."""
        self._verb = "repeated"
        for name in ("status_before", "status_after"):  # left by a try that another copy overtook
            self._facts.pop(name, None)
        self.learn(
            conversation_id=delivery.conversation_id or None,
            call_sid=delivery.answer_body.get("call_sid"),
            call_id=delivery.call_id,
            reason=delivery.error or None,
        )

    def kept(self, delivery: WebhookDelivery) -> None:
        """Note that the delivery's row is committed. A row of a batch has no key here, so its digest is logged."""
        self._outcome = str(delivery.outcome)
        which = {"digest": delivery.digest} if delivery.pk is None else {"delivery": delivery.pk}
        repeats = {"times_received": delivery.times_received} if delivery.times_received > 1 else {}
        self.learn(**which, **repeats, type=delivery.event_type or None)

    def fail(self, error: Exception) -> None:
        """Note that the present step failed. A later `kept` may still change the outcome."""
        self._error = error
        self._facts.pop("status_after", None)
        if isinstance(error, NotAuthenticated):
            self.step = "authenticate"
            self.learn(fault=error.fault)
        self._failed_step = self.step
        if isinstance(error, CallNotFound):
            self._outcome = Outcome.UNMATCHED
        elif not isinstance(error, WebhookError):
            self._outcome = Outcome.FAILED
        elif error.status >= 500:
            self._outcome = UNAVAILABLE
        else:
            self._outcome = Outcome.REJECTED if error.status == 400 else REFUSED

    def failed_open(self, fault: str) -> None:
        """Note that the sender gets an answer as if nothing had failed."""
        self._verb = "answered without a registered call"
        self.learn(fault=fault)

    def end(self, answer: int | None = None) -> None:
        """Write the log line. `answer` is the HTTP status; None if no sender waits for one."""
        later = "again" in self._facts
        error, self._error = self._error, None  # its traceback refers to this entry and to the body: keep it nowhere
        usual = logging.DEBUG if self._route == Route.TRANSCRIPTION and not later else logging.INFO
        level = _LEVELS.get(self._outcome, usual)
        if not _levels.isEnabledFor(level):
            return
        verb = self._verb or _EVENTS.get(self._outcome, self._outcome)
        known = self._facts
        known["event"] = f"Kept webhook {verb}" if later else f"Webhook {verb}"
        known["route"], known["outcome"], known["answer"] = self._route, self._outcome, answer
        known["ms"] = round((time.perf_counter() - self._began) * 1000, 1)
        if self.turn is not None:
            known |= _told_of_turn(*self.turn)
        if self._outcome == Outcome.APPLIED:
            error = None
        if error is not None:
            known["step"] = self._failed_step
        if isinstance(error, WebhookError):
            known |= _told_of_error(error)
            error = None  # no bug of callsite: the traceback would say nothing
        # in structlog's form, but without its loggers, which double the cost of a line, and without bound ids
        _levels.log(level, {name: known[name] for name in _FIELDS if name in known}, exc_info=error)


def _told_of_turn(turn: RecordedTurn, created: bool) -> dict[str, Any]:
    call = turn.call
    return {
        "type": "turn",
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "call_id": call.pk,
        "ended": call.ended or None,
        "sequence_number": turn.sequence_number,
        "repeat": None if created else True,
    }


def _told_of_error(error: WebhookError) -> dict[str, Any]:
    if error.__cause__ is not None:  # the log's formatter writes what may be written of it
        return {"error": error.__cause__}
    if isinstance(error, CallNotFound):
        return {"reason": error.message}
    return {"reason": error.details if error.status in (400, 401) else f"{error.message}. {error.details}"}


_entry: ContextVar[Entry | None] = ContextVar("entry", default=None)


def begin(route: str, **facts: Any) -> Entry:
    """Start the entry of the webhook that this task takes in, and return it. From here on `current` returns it too."""
    entry = Entry(route, **facts)
    _entry.set(entry)
    return entry


def current() -> Entry:
    """Return the entry of the webhook that is being taken in; without one, an entry that is never written."""
    return _entry.get() or Entry("")


def under[**Given, Result](
    entry: Entry, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """Run `work` with `entry` as the current entry. Ids that `work` binds to log lines end with it."""

    def run() -> Result:
        _entry.set(entry)
        return work(*args, **kwargs)

    return copy_context().run(run)
