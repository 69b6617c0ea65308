"""Places calls: it stores the row first, then asks ElevenLabs once, so the phone rings at most once.

The row is committed before ElevenLabs is asked, so that a webhook which overtakes the answer finds its call: the
`call_sid` is sent along as a dynamic variable. Afterwards `dial_state` says how far the dial came; where that stays
unknown, the call's webhooks or `upstream.reconciling` settle it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error, close_old_connections, transaction
from django.utils import timezone

from calls.linking import Name, NameRank, Reference, link
from calls.models import Call
from calls.outcome import CallFailure
from calls.races import persistently
from upstream.client import ANSWER_SECONDS, DIAL_PATHS, Client
from upstream.errors import NoAnswer, Refused, UpstreamError
from upstream.exchange import CONNECT_SECONDS
from upstream.phone_numbers import BadNumber, e164, expect_allowed
from webhooks.fields import optional_identifier

logger = logging.getLogger(__name__)
PROVIDERS = tuple(DIAL_PATHS)
# A dial whose state is "asking" for longer was left by a process that has ended.
LONGEST_SECONDS = CONNECT_SECONDS + ANSWER_SECONDS + 40
NOT_STORED = "ElevenLabs was asked, and the database did not take the answer: the phone may ring. Do not dial again."
DialState = Call.DialState


class MissingField(ValueError):
    """`field` is missing: neither the request nor a setting has it."""

    def __init__(self, field: str, setting: str) -> None:
        super().__init__(f"Name one, or set {setting}.")
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call to place. `body` makes the request to ElevenLabs from it."""

    driver_id: str
    to_number: str
    agent_id: str
    phone_number_id: str
    provider: str = PROVIDERS[0]
    dynamic_variables: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = ""
    first_message: str = ""

    def body(self, to_number: str, call_sid: str) -> dict[str, Any]:
        """Return the request's body, always with client data: without it, ElevenLabs would ask conversation-init."""
        variables = {**settings.ELEVENLABS_DYNAMIC_VARIABLES, **self.dynamic_variables, "call_sid": call_sid}
        client_data: dict[str, Any] = {"dynamic_variables": variables, "user_id": self.driver_id}
        agent: dict[str, Any] = {}
        if self.prompt:
            agent["prompt"] = {"prompt": self.prompt}
        if self.first_message:
            agent["first_message"] = self.first_message
        if agent:
            client_data["conversation_config_override"] = {"agent": agent}
        return {
            "agent_id": self.agent_id,
            "agent_phone_number_id": self.phone_number_id,
            "to_number": to_number,
            "conversation_initiation_client_data": client_data,
        }


class Dialled(NamedTuple):
    """The result of a dial. `status`: the HTTP status to answer with. `reason`: why the call was not placed, or ""."""

    call: Call
    status: int
    reason: str = ""
    retry_after_seconds: float | None = None


def new_order(*, agent_id: str = "", phone_number_id: str = "", **told: Any) -> Order:
    """Return an order, with the settings' agent and phone number where none is given. Raises MissingField."""
    agent_id = agent_id or settings.ELEVENLABS_AGENT_ID
    phone_number_id = phone_number_id or settings.ELEVENLABS_PHONE_NUMBER_ID
    if not agent_id:
        raise MissingField("agent_id", "ELEVENLABS_AGENT_ID")
    if not phone_number_id:
        raise MissingField("phone_number_id", "ELEVENLABS_PHONE_NUMBER_ID")
    return Order(agent_id=agent_id, phone_number_id=phone_number_id, **told)


def expect_may_go(order: Order) -> None:
    """Raise NotAllowed if the number may not be dialled. `place` refuses a text that is no number."""
    try:
        number = e164(order.to_number)
    except BadNumber:
        number = None
    expect_allowed(number)


def register(order: Order) -> Call:
    """Store the row of a call that is about to be placed, and return it."""
    try:
        to_number = e164(order.to_number)
    except BadNumber:
        to_number = order.to_number
    return Call.register(
        driver_id=order.driver_id,
        agent_id=order.agent_id,
        to_number=to_number,
        direction=Call.Direction.OUTBOUND,
        dial_state=DialState.ASKING,
    )


def place(order: Order, call: Call, client: Client) -> Dialled:
    """Ask ElevenLabs to place a call whose row is committed, and store the result; 202 if it cannot be stored."""
    try:
        number = e164(order.to_number)
    except BadNumber as error:
        return _refused(call, 422, str(error))
    close_old_connections()  # ElevenLabs may take seconds, and the connection pool is small
    try:
        return _ask(order, number, call, client)
    except Error as error:  # not raised: after an error, a user would dial again
        logger.error("What became of the dial of call %s was not stored: %s", call.call_sid, type(error).__name__)
        return Dialled(call, 202, NOT_STORED)


def _ask(order: Order, number: str, call: Call, client: Client) -> Dialled:
    try:
        answer = client.dial(order.provider, order.body(number, call.call_sid))
    except Refused as error:
        status = 503 if error.is_busy else 422 if error.status == 422 else 502
        return _refused(call, status, str(error), error.retry_after_seconds)
    except NoAnswer as error:
        return _unknown(call, str(error))
    except UpstreamError as error:
        return _refused(call, 502, str(error))
    if answer.get("success") is False:
        message = answer.get("message")
        return _refused(
            call, 502, message[:500] if isinstance(message, str) and message else "ElevenLabs did not dial."
        )
    conversation_id = optional_identifier(answer.get("conversation_id"))
    if answer.get("success") is not True and conversation_id is None:
        return _unknown(call, "ElevenLabs' answer does not say whether the call was placed.")
    sids = (optional_identifier(answer.get(name)) for name in ("callSid", "sip_call_id", "call_sid"))
    names = [Name(sid, NameRank.PROVIDER) for sid in sids if sid]
    call = persistently(lambda: _placed(call, conversation_id, names))
    logger.info("Placed call %s as conversation %s", call.call_sid, call.conversation_id)
    return Dialled(call, 201)


def _placed(call: Call, conversation_id: str | None, names: list[Name]) -> Call:
    """Link the conversation to the call. If its webhooks came earlier, their row is merged with the call's."""
    with transaction.atomic():
        own = Name(call.call_sid, NameRank.REGISTERED)
        link(Reference(conversation_id=conversation_id, names=(own, *names), agent_id=call.agent_id))
        return _settle(call, DialState.PLACED)


def _unknown(call: Call, reason: str) -> Dialled:
    logger.warning("Whether call %s was placed is unknown", call.call_sid)
    call = persistently(lambda: _settle(call, DialState.UNKNOWN))
    return Dialled(call, 201) if call.dial_state == DialState.PLACED else Dialled(call, 202, reason)


def mark_unknown(call: Call) -> Dialled:
    """Settle a dial whose process ended before the answer came: unknown, unless a webhook has shown the result."""
    return _unknown(call, "The dial was interrupted.")


def _refused(call: Call, status: int, reason: str, retry_after_seconds: float | None = None) -> Dialled:
    logger.warning("Call %s was not placed: %s", call.call_sid, status)
    call = persistently(lambda: fail(call, reason))
    if call.dial_state == DialState.PLACED:  # a webhook came, so it was placed, whatever the answer says
        return Dialled(call, 201)
    return Dialled(call, status, reason, retry_after_seconds)


def fail(call: Call, reason: str) -> Call:
    """Record that a call was never placed, unless a webhook has shown that it was."""
    with transaction.atomic():
        settled = _settle(call, DialState.REFUSED)
        if settled.dial_state == DialState.REFUSED and not settled.ended:
            settled = settled.record_failed(CallFailure(event_time=timezone.now(), failure_reason=reason))
        return settled


def _settle(call: Call, state: str) -> Call:
    """Set the dial state, unless a webhook has settled it already. The row is locked until the transaction ends."""
    with transaction.atomic(savepoint=False):
        pk = Call.objects.get_by_identifier(call.call_sid).pk
        locked = Call.objects.select_for_update(no_key=True).get(pk=pk)
        if locked.dial_state in (DialState.ASKING, DialState.UNKNOWN):
            locked.dial_state = state
            locked.save(update_fields=["dial_state", "updated_at"])
        return locked
