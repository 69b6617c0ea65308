"""What a run needs of the database: calls and users to begin with, and at the end what is stored.

Blocking; called through `in_database`. Models are imported late: settings are read when the servers' ports are known.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import django
from django.db import connections, transaction

from lab.faults.history import Stored
from lab.faults.journal import Journal


@dataclass(frozen=True, slots=True)
class CallIds:
    """Both identifiers of a call."""

    call_sid: str
    conversation_id: str


async def in_database[Result](work: Callable[[], Result]) -> Result:
    """Run it in a thread, and leave no connection behind."""

    def working() -> Result:
        try:
            return work()
        finally:
            connections.close_all()

    return await asyncio.to_thread(working)


def prepare() -> None:
    """The schema, as a deployment makes it."""
    django.setup()
    logging.disable(logging.INFO)  # every request of a sender
    from django.core.management import call_command

    connections.settings["default"]["OPTIONS"].pop("pool")  # this process asks seldom, and owes nobody an answer
    call_command("migrate", verbosity=0)
    connections.close_all()


def register_calls(count: int) -> list[CallIds]:
    """Calls in progress."""
    from calls.models import Call

    ids = [CallIds(f"EL_{mark}", f"conv_{mark}") for mark in (uuid.uuid4().hex[:16] for _ in range(count))]
    with transaction.atomic():
        for one in ids:
            Call.register(call_sid=one.call_sid, conversation_id=one.conversation_id, driver_id="DRV_1")
    return ids


def delete_turns(call: CallIds, numbers: Iterable[int]) -> None:
    """As by hand: nobody is told."""
    from calls.models import CallTranscription

    CallTranscription.objects.filter(call__call_sid=call.call_sid, sequence_number__in=list(numbers)).delete()


def delete_call(call: CallIds) -> None:
    """With all that it has."""
    from calls.models import Call

    Call.objects.get(call_sid=call.call_sid).delete()


def add_user(*, may_view: bool = True) -> int:
    """A dispatcher, who signs in with tokens alone; the user's id."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission

    user = get_user_model()._default_manager.create_user(f"dispatcher-{uuid.uuid4().hex[:8]}")
    if may_view:
        user.user_permissions.add(Permission.objects.get(codename="view_call"))
    return int(user.pk)


def token_of(user_id: int, *, seconds: float = 3600) -> str:
    """An access token that lasts so long."""
    from django.contrib.auth import get_user_model
    from rest_framework_simplejwt.tokens import AccessToken

    token = AccessToken.for_user(get_user_model()._default_manager.get(pk=user_id))
    token.set_exp(lifetime=timedelta(seconds=seconds))
    return str(token)


def new_token() -> str:
    """Of a new dispatcher."""
    return token_of(add_user())


def new_writer_token() -> str:
    """Of a new user who may register calls."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission

    user = add_user()
    get_user_model()._default_manager.get(pk=user).user_permissions.add(Permission.objects.get(codename="add_call"))
    return token_of(user)


def write_stored(path: Path, calls: Iterable[CallIds]) -> None:
    """What the database has of these calls, into a journal."""
    from calls.models import Call
    from webhooks.models import WebhookDelivery

    wanted = [call.call_sid for call in calls]
    with Journal(path) as journal:
        for start in range(0, len(wanted), 500):
            rows = Call.objects.filter(call_sid__in=wanted[start : start + 500]).prefetch_related("transcriptions")
            digests: dict[int | None, list[str]] = {}
            applied = WebhookDelivery.objects.filter(call__in=rows, route="post-call", outcome="applied")
            for call_id, digest, times in applied.values_list("call_id", "digest", "times_applied"):
                digests.setdefault(call_id, []).extend([digest] * times)
            for row in rows:
                stored = Stored(
                    call=row.call_sid,
                    status=row.status,
                    last=row.last_sequence_number,
                    final=row.final_sequence_number,
                    turns=sorted((turn.sequence_number, turn.turn_id or "") for turn in row.transcriptions.all()),
                    deliveries=digests.get(row.pk, []),
                )
                journal.write(**asdict(stored))


def stored_at(calls: Iterable[CallIds]) -> dict[str, float]:
    """When what senders sent was stored: the time of each turn, by `turn_id`, and of each delivery, by digest."""
    from calls.models import CallTranscription
    from webhooks.models import WebhookDelivery

    sids = [call.call_sid for call in calls]
    turns = CallTranscription.objects.filter(call__call_sid__in=sids).values_list("turn_id", "created_at")
    deliveries = WebhookDelivery.objects.filter(call__call_sid__in=sids).values_list("digest", "received_at")
    return {str(key): moment.timestamp() for rows in (turns, deliveries) for key, moment in rows}


def final_state(call: CallIds) -> str:
    """What the outside sees of a call, but for what names it and when it was written; equal texts, equal states."""
    from calls.models import Call

    row = Call.objects.prefetch_related("transcriptions").get(call_sid=call.call_sid)
    left_out = {
        "id",
        "call_sid",
        "conversation_id",
        "created_at",
        "updated_at",
        "final_sequence_number",
        "search_words",
        "words_upto",
        "words_behind",
    }
    state = {
        field.attname: str(getattr(row, field.attname))
        for field in row._meta.concrete_fields
        if field.attname not in left_out
    }
    state["recording"] = str(getattr(getattr(row, "recording", None), "sha256", None))
    state["turns"] = json.dumps(sorted(turn.message_text for turn in row.transcriptions.all()))
    return json.dumps(state, sort_keys=True).replace(call.conversation_id, "conversation")


def set_active(user_id: int, active: bool) -> None:
    from django.contrib.auth import get_user_model

    user = get_user_model()._default_manager.get(pk=user_id)
    user.is_active = active
    user.save()


def take_permissions(user_id: int) -> None:
    from django.contrib.auth import get_user_model

    get_user_model()._default_manager.get(pk=user_id).user_permissions.clear()


def session_cookie(user_id: int) -> str:
    """The cookie of a user who has signed in."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    user = get_user_model()._default_manager.get(pk=user_id)
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[-1]
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
