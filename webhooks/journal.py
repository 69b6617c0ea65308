"""What is noted of a webhook while it is taken in, and the line of the log that tells all of it at its end.

A line holds ids, types, times and numbers: never what was said, who said it, from which number or with which secret.
At DEBUG each step has a line of its own too, and so has a live turn that was stored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import structlog

from calls.models import Call
from calls.turn import RecordedTurn
from webhooks.errors import CallNotFound, NotAuthenticated, WebhookError
from webhooks.models import WebhookDelivery

logger = structlog.get_logger(__name__)
_levels = logging.getLogger(__name__)  # asked first: a turn must not pay for a line that nobody wants
Outcome, Route = WebhookDelivery.Outcome, WebhookDelivery.Route

# Beside the outcomes of a kept delivery, those of which nothing is kept: refused is the sender's, unavailable ours.
REFUSED, UNAVAILABLE = "refused", "unavailable"
_EVENTS = {Outcome.UNMATCHED: "waits for its call", UNAVAILABLE: "could not be kept"}
_LEVELS = {
    Outcome.REJECTED: logging.WARNING,
    Outcome.UNMATCHED: logging.WARNING,
    REFUSED: logging.WARNING,
    Outcome.FAILED: logging.ERROR,
    UNAVAILABLE: logging.ERROR,
}
# What a line holds, in the order in which it is read.
# fmt: off
_FIELDS = (
    "event", "route", "type", "outcome", "answer", "again", "step", "fault", "reason", "error",
    "conversation_id", "call_sid", "call_id", "status_before", "status_after",
    "event_time", "duration_seconds", "cost", "summary_length", "recording_bytes",
    "sequence_number", "ended", "repeat", "delivery", "digest", "times_received", "ms",
)
# fmt: on


class Entry:
    """What is known of one webhook so far.

    `step` is what is being done: receive, authenticate, connect (to the database), recognise (a repeat), decode, parse,
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
        """What the present step brought to light."""
        self._facts |= facts
        if _levels.isEnabledFor(logging.DEBUG):
            logger.debug("Webhook step", route=self._route, step=self.step, **facts)

    def received(self, size_bytes: int) -> None:
        """Its sender may deliver, and the body is here."""
        if _levels.isEnabledFor(logging.DEBUG):
            logger.debug("Webhook received", route=self._route, size_bytes=size_bytes)
        self.step = "connect"

    def found(self, call: Call) -> None:
        """The call that it is about."""
        self.learn(call_id=call.pk, call_sid=call.call_sid, status_before=call.former_status or call.status)
        self.step = "apply"

    def applied(self, call: Call) -> None:
        """The call, as the verb left it."""
        before = call.former_status or call.status
        self.learn(call_id=call.pk, call_sid=call.call_sid, status_before=before, status_after=call.status)
        self.step = "store"

    def repeated(self, delivery: WebhookDelivery) -> None:
        """The same came before and was done with then: what its row says."""
        self._verb = "repeated"
        for name in ("status_before", "status_after"):  # of a copy that another one overtook
            self._facts.pop(name, None)
        self.learn(
            conversation_id=delivery.conversation_id or None,
            call_sid=delivery.answer_body.get("call_sid"),
            call_id=delivery.call_id,
            reason=delivery.error or None,
        )

    def kept(self, delivery: WebhookDelivery) -> None:
        """Its row is committed. One that was written together with others is known by its digest."""
        self._outcome = str(delivery.outcome)
        which = {"digest": delivery.digest} if delivery.pk is None else {"delivery": delivery.pk}
        repeats = {"times_received": delivery.times_received} if delivery.times_received > 1 else {}
        self.learn(**which, **repeats, type=delivery.event_type or None)

    def fail(self, error: Exception) -> None:
        """The present step failed. A later `kept` says what became of it all the same."""
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
        """Its sender gets an answer as if nothing had failed."""
        self._verb = "answered without a registered call"
        self.learn(fault=fault)

    def end(self, answer: int | None = None) -> None:
        """Write the line. `answer` is the HTTP status, where somebody waits for one."""
        later = "again" in self._facts
        error, self._error = self._error, None  # its traceback leads to this entry and to the body: nothing may keep it
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
            error = None  # no fault of ours: its traceback says nothing
        # as structlog hands it over, without its loggers, which double what a line costs, and without bound ids
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
    if error.__cause__ is not None:  # the log says of it what may be said
        return {"error": error.__cause__}
    if isinstance(error, CallNotFound):
        return {"reason": error.message}
    return {"reason": error.details if error.status in (400, 401) else f"{error.message}. {error.details}"}


_entry: ContextVar[Entry | None] = ContextVar("entry", default=None)


def begin(route: str, **facts: Any) -> Entry:
    """The entry of what this task does from here on; `current` finds it."""
    entry = Entry(route, **facts)
    _entry.set(entry)
    return entry


def current() -> Entry:
    """The entry of what is being taken in; where nobody keeps one, one that nobody reads."""
    return _entry.get() or Entry("")


def under[**Given, Result](
    entry: Entry, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """Do `work` with this as the current entry. Ids that it binds to the lines of others end with it."""

    def run() -> Result:
        _entry.set(entry)
        return work(*args, **kwargs)

    return copy_context().run(run)
