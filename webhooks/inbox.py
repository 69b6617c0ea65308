"""The inbox: it stores a verified request as a delivery row and applies its effect, in one transaction.

The effect runs in a savepoint: if it fails, it is rolled back, and the row keeps the reason. A reply of 2xx is sent
only after the commit of the effect and the row. A transaction that loses a race, such as a deadlock, is retried a
bounded number of times. A request whose call is locked waits once, apart from the others (`webhooks.held_calls`).
"""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import replace

from django.db import DatabaseError, Error, IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from calls.models import Call
from calls.names import hold_if_free, hold_names
from calls.postgres.server_side import prepare_for_large_values
from calls.postgres.waits import limit_waits_for_locks
from calls.races import is_locked, may_work_next_time, persistently
from calls.record_history import NewHistory
from calls.threads import Threads
from calls.turn import NewTurn
from webhooks import handlers, journal
from webhooks.errors import CallNotFound, DatabaseUnavailable, InternalError, WebhookError
from webhooks.held_calls import Held, current_held_calls
from webhooks.journal import DELIVERIES, Entry
from webhooks.models import LARGE_BYTES, WaitingName, WebhookDelivery
from webhooks.payloads import Ignored
from webhooks.reading import identify, read
from webhooks.replies import Reply, ignored_reply, reply_of, reply_to_unmatched, turn_reply

_threads = Threads("inbox", 6)
_recordings = Threads("recordings", 3)  # the storage may take seconds per recording
A_MOMENT = "50ms"  # long enough for a lock that an ordinary transaction holds
# the columns that applying a delivery changes: all but the request itself
_RESULT = [
    *("event_type", "conversation_id", "call_sid", "call", "outcome", "answer_status", "answer_body", "error"),
    *("times_received", "times_applied", "applied_at"),
]

Outcome = WebhookDelivery.Outcome
Route = WebhookDelivery.Route


async def take(route: str, body: bytes) -> Reply:
    """Run `receive` in a thread of the inbox; requests of a locked call wait elsewhere. Raises DatabaseUnavailable."""
    if is_recording(body):
        return await _recordings.run(lambda: receive(route, body))
    try:
        return await _threads.run(lambda: journal.under(journal.current(), _receive, route, body, A_MOMENT))
    except Held as held:
        if not held.was_cut_short:
            raise DatabaseUnavailable(held.error) from held
        return await current_held_calls().wait(held.name, lambda: receive(route, body))


def is_recording(body: bytes) -> bool:
    """Guess without parsing whether a body is a recording: look for its type near both ends, as keys have no order."""
    return b'"post_call_audio"' in body[:4096] or b'"post_call_audio"' in body[-4096:]


def receive(route: str, body: bytes, *, lock_timeout: str | None = None) -> Reply:
    """Take in one verified request. Never raises: an error becomes the reply and, where possible, a delivery row."""
    try:
        return journal.under(journal.current(), _receive, route, body, lock_timeout)
    except Held as held:
        away = DatabaseUnavailable(held.error)
        journal.current().fail(away)
        return reply_of(away)


def _receive(route: str, body: bytes, lock_timeout: str | None) -> Reply:
    """Do the work of `receive`. Raises Held if a lock is held for longer than `lock_timeout`; then nothing was done."""
    entry = journal.current()
    try:
        delivery = persistently(lambda: _take(route, body, lock_timeout))
        entry.kept(delivery)
    except Error as error:
        away = DatabaseUnavailable(error)
        entry.fail(away)
        identify(route, body)
        if may_work_next_time(error):  # it lost every race, so the database works: keep the request
            with contextlib.suppress(Error):
                entry.kept(_keep_failed(route, body))
        return reply_of(away)
    return Reply(delivery.answer_status, delivery.answer_body)


def apply_again(delivery: WebhookDelivery, because: str = "the staff asked") -> WebhookDelivery:
    """Apply a kept delivery once more: the staff asked for it, or its call appeared."""
    entry = Entry(delivery.route, again=because)
    return journal.under(entry, _apply_again, delivery)


def _apply_again(delivery: WebhookDelivery) -> WebhookDelivery:
    entry = journal.current()
    with transaction.atomic():
        hold_names(_waited_for(delivery))  # before the row, as everywhere: another order could deadlock
        locked = WebhookDelivery.objects.select_for_update().get(pk=delivery.pk)
        if locked.size_bytes > LARGE_BYTES:
            prepare_for_large_values()
        try:
            _apply(locked)
        except IntegrityError as error:
            entry.fail(error)
            locked.outcome, locked.error = Outcome.FAILED, traceback.format_exc()
        _keep(locked)
        entry.kept(locked)
        transaction.on_commit(entry.end, robust=True)
        return locked


def _take(route: str, body: bytes, lock_timeout: str | None) -> WebhookDelivery:
    entry = journal.current()
    entry.step = "connect"
    delivery = new = WebhookDelivery.of_request(route, body)
    was_cut_short = False
    try:
        with transaction.atomic():
            if lock_timeout is not None:
                was_cut_short = limit_waits_for_locks(lock_timeout)
            entry.step = "recognise"
            delivery = _known(new) or new
            if delivery.pk is None or delivery.outcome in (Outcome.UNMATCHED, Outcome.FAILED):
                _apply(delivery)
            else:
                entry.repeated(delivery)
            entry.step = "store"
            if route != Route.TRANSCRIPTION or delivery.outcome != Outcome.APPLIED:
                _keep(delivery)  # a stored turn needs no delivery row
            return delivery
    except OperationalError as error:
        if is_locked(error):
            raise Held(next(iter(delivery.names), new.digest), error, was_cut_short) from error
        raise


def _keep_failed(route: str, body: bytes) -> WebhookDelivery:
    """Keep a request that lost every race, as a failed delivery. Its sender was told to send it again."""
    with transaction.atomic():
        new = WebhookDelivery.of_request(route, body)
        delivery = _known(new) or new
        if delivery.pk is None:
            delivery.outcome, delivery.error = Outcome.FAILED, "Gave up after conflicts."
            reply = reply_of(DatabaseUnavailable())
            delivery.answer_status, delivery.answer_body = reply.status, reply.body
        _keep(delivery)
        return delivery


def _known(new: WebhookDelivery) -> WebhookDelivery | None:
    """Return the locked row of an earlier copy, if there is one. To avoid deadlocks, names are locked before rows."""
    if new.size_bytes > LARGE_BYTES:
        prepare_for_large_values()
    rows = WebhookDelivery.objects.defer("body")
    if new.route == Route.POST_CALL and (known := rows.filter(route=new.route, digest=new.digest).first()):
        if known.outcome == Outcome.UNMATCHED:
            hold_names(_waited_for(known))
        if locked := rows.select_for_update().filter(pk=known.pk).first():
            locked.times_received += 1
            return locked
    return None


def _keep(delivery: WebhookDelivery) -> None:
    if delivery.pk is None:
        delivery.save(force_insert=True)
    else:
        delivery.save(update_fields=_RESULT)
        delivery.waiting_names.all().delete()
    if delivery.outcome == Outcome.UNMATCHED:
        WaitingName.objects.bulk_create([WaitingName(delivery=delivery, name=name) for name in delivery.names])


def _waited_for(delivery: WebhookDelivery) -> list[str]:
    return list(delivery.waiting_names.values_list("name", flat=True))


def _apply(delivery: WebhookDelivery) -> None:
    """Run the delivery's effect and set the row's fields to the result, without saving the row."""
    entry = journal.current()
    try:
        try:
            with transaction.atomic():
                delivery.call, reply, delivery.outcome, note = _effect(delivery)
        except CallNotFound:
            # Lock the names and look again. Outside of the savepoint, as its rollback would release the lock.
            if hold_if_free(delivery.names):
                raise
            hold_names(delivery.names)
            with transaction.atomic():
                delivery.call, reply, delivery.outcome, note = _effect(delivery)
        delivery.error, delivery.applied_at = note, timezone.now()
        delivery.times_applied += delivery.outcome == Outcome.APPLIED
    except CallNotFound as error:
        entry.fail(error)
        delivery.outcome, delivery.error = Outcome.UNMATCHED, error.message
        reply = reply_to_unmatched(delivery, error)
    except WebhookError as error:
        entry.fail(error)
        delivery.outcome, delivery.error, reply = Outcome.REJECTED, error.details, reply_of(error)
    except (OperationalError, IntegrityError, InterfaceError):
        raise  # the caller retries the whole transaction, or the database is away
    except Exception as error:
        entry.fail(error)
        delivery.outcome, delivery.error = Outcome.FAILED, traceback.format_exc()
        reply = reply_of(DatabaseUnavailable() if isinstance(error, DatabaseError) else InternalError())
    delivery.answer_status, delivery.answer_body = reply.status, reply.body
    DELIVERIES.labels(delivery.route, delivery.outcome).inc()


def _effect(delivery: WebhookDelivery) -> tuple[Call | None, Reply, str, str]:
    """Parse and handle a delivery; return (call, reply, outcome, note). Also sets the row's event type and names."""
    event = read(delivery)
    if isinstance(event, NewTurn):
        return *_turn_effect(delivery, event), ""
    if isinstance(event, NewHistory):
        event = replace(event, arrived_at=delivery.received_at)
    if isinstance(event, Ignored):
        return None, ignored_reply(event), Outcome.IGNORED, ""
    call, reply, note = handlers.handle(event)
    journal.current().applied(call)
    return call, reply, Outcome.APPLIED, note


def _turn_effect(delivery: WebhookDelivery, turn: NewTurn) -> tuple[Call, Reply, str]:
    turn = as_it_came(delivery, turn)
    stored, created = recorded = handlers.handle_turn(turn)
    journal.current().turn = recorded
    return Call(pk=stored.call.pk), turn_reply(stored, created), Outcome.APPLIED


def as_it_came(delivery: WebhookDelivery, turn: NewTurn) -> NewTurn:
    """Return the turn with its arrival time. A kept turn gets a `turn_id`, so that it is never stored twice."""
    turn_id = f"delivery {delivery.pk}" if delivery.pk and turn.turn_id is None else turn.turn_id
    return replace(turn, turn_id=turn_id, arrived_at=delivery.received_at)
