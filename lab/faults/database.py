"""Database work of a run: make calls and users before it, read what is stored after it.

The functions block; call them through `in_database`. They import models late, because Django reads the settings only
when the servers' ports are known.
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
    """The two identifiers of a call."""

    call_sid: str
    conversation_id: str


async def in_database[Result](work: Callable[[], Result]) -> Result:
    """Run the function in a thread, and leave no database connection open."""

    def working() -> Result:
        try:
            return work()
        finally:
            connections.close_all()

    return await asyncio.to_thread(working)


def prepare() -> None:
    """Create the schema, as a deployment does."""
    django.setup()
    logging.disable(logging.INFO)  # httpx logs every request of a sender
    from django.core.management import call_command

    connections.settings["default"]["OPTIONS"].pop("pool")  # this process reads seldom and serves no requests
    call_command("migrate", verbosity=0)
    connections.close_all()


def register_calls(count: int) -> list[CallIds]:
    """Register calls in progress, and return their identifiers."""
    from calls.models import Call

    ids = [CallIds(f"EL_{mark}", f"conv_{mark}") for mark in (uuid.uuid4().hex[:16] for _ in range(count))]
    with transaction.atomic():
        for one in ids:
            Call.register(call_sid=one.call_sid, conversation_id=one.conversation_id, driver_id="DRV_1")
    return ids


def delete_turns(call: CallIds, numbers: Iterable[int]) -> None:
    """Delete turns as by hand: no listener is told."""
    from calls.models import CallTranscription

    CallTranscription.objects.filter(call__call_sid=call.call_sid, sequence_number__in=list(numbers)).delete()


def delete_call(call: CallIds) -> None:
    """Delete the call with all its rows."""
    from calls.models import Call

    Call.objects.get(call_sid=call.call_sid).delete()


def add_user(*, may_view: bool = True) -> int:
    """Create a dispatcher without a password, who signs in with tokens only, and return the user's ID."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission

    user = get_user_model()._default_manager.create_user(f"dispatcher-{uuid.uuid4().hex[:8]}")
    if may_view:
        user.user_permissions.add(Permission.objects.get(codename="view_call"))
    return int(user.pk)


def token_of(user_id: int, *, seconds: float = 3600) -> str:
    """Return an access token of the user that is valid for so many seconds."""
    from django.contrib.auth import get_user_model
    from rest_framework_simplejwt.tokens import AccessToken

    token = AccessToken.for_user(get_user_model()._default_manager.get(pk=user_id))
    token.set_exp(lifetime=timedelta(seconds=seconds))
    return str(token)


def new_token() -> str:
    """Return the access token of a new dispatcher."""
    return token_of(add_user())


def new_writer_token() -> str:
    """Return the access token of a new user who may register calls."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission

    user = add_user()
    get_user_model()._default_manager.get(pk=user).user_permissions.add(Permission.objects.get(codename="add_call"))
    return token_of(user)


def write_stored(path: Path, calls: Iterable[CallIds]) -> None:
    """Write what the database has of these calls into a journal."""
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
    """Return when each turn (by `turn_id`) and each delivery (by digest) was stored, as a Unix time."""
    from calls.models import CallTranscription
    from webhooks.models import WebhookDelivery

    sids = [call.call_sid for call in calls]
    turns = CallTranscription.objects.filter(call__call_sid__in=sids).values_list("turn_id", "created_at")
    deliveries = WebhookDelivery.objects.filter(call__call_sid__in=sids).values_list("digest", "received_at")
    return {str(key): moment.timestamp() for rows in (turns, deliveries) for key, moment in rows}


def final_state(call: CallIds) -> str:
    """Return a call's visible state as text, without its names and row times: equal texts mean equal states."""
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
    """Return the cookie of a signed-in user."""
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
