"""Examines the set-up at ElevenLabs and of callsite: it says what is wrong and how to mend it, and changes nothing.

It leaves one trace: the signed test delivery always has the same body, so one row of the ignored deliveries counts it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Generator, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings

from upstream.client import Client
from upstream.errors import NotConfigured, Refused, UpstreamError
from upstream.exchange import exchange
from upstream.findings import Finding, broken, fine, or_fine, warning
from upstream.registrations import (
    POST_CALL,
    examine_events,
    examine_init,
    examine_tool,
    examine_webhook,
    tool_ids_of,
    webhook_of,
)
from webhooks.fields import mapping
from webhooks.signature import MAX_AHEAD_SECONDS, secrets_of

SKEW_SECONDS = 30
DELIVERY_SECONDS = 10.0
ANSWER_MAX_BYTES = 100_000
TOOLS_MAX = 20
# A type of event that callsite keeps and ignores.
TEST_DELIVERY = json.dumps({"type": "agent_qa", "event_timestamp": 0, "data": {"from": "elevenlabs_doctor"}}).encode()
KEYS_PAGE = "https://elevenlabs.io/app/developers/api-keys"
type _Read = Generator[Finding, None, dict[str, Any] | None]  # yields problems; returns the answer


def examine(site: str = "") -> list[Finding]:
    """Return the findings about the whole set-up, in the order in which a user sets it up.

    `site` is callsite's public address, as in https://calls.example.com. Without it, the address is the trusted origin
    of the settings, or the one of the webhook at ElevenLabs.
    """
    return list(_findings((site or _own_origin()).rstrip("/")))


def _own_origin() -> str:
    origins = [one for one in settings.CSRF_TRUSTED_ORIGINS if one.startswith("https://") and "*" not in one]
    return origins[0] if origins else ""


def _findings(site: str) -> Iterator[Finding]:
    yield from _secrets()
    try:
        client = Client.from_settings()
    except NotConfigured as error:
        mend = f"Make a key at {KEYS_PAGE}, and put it into ELEVENLABS_API_KEY."
        if "ELEVENLABS_API_URL" in str(error):
            mend = "Correct ELEVENLABS_API_URL; without it, it is https://api.elevenlabs.io."
        yield broken(str(error), mend)
        if site:
            yield from _deliver(site)
        return
    problem = _examine_key(client)
    if problem is not None:
        yield problem
        if site:
            yield from _deliver(site)
        return
    yield fine(f"ElevenLabs answers at {client.url}, and knows the key.")
    yield from _clock(client)
    reader = _Reader(client)
    agent = yield from _agent(reader)
    yield from _phone_number(reader, agent)
    webhooks = yield from reader.read("/v1/workspace/webhooks", "webhooks of the workspace", include_usages="true")
    workspace = yield from reader.read("/v1/convai/settings", "settings of the agents")
    webhook = webhook_of(webhooks, site) if webhooks is not None else {}
    if webhooks is not None:
        yield from or_fine(examine_webhook(webhook, site), "The post-call webhook is on, and leads here.")
    if workspace is not None:
        yield from or_fine(examine_events(webhook, workspace, agent or {}), "It gets transcripts and failures.")
        yield from or_fine(examine_init(workspace, agent or {}, site), "The conversation-initiation webhook is set up.")
    if agent is not None:
        yield from _tool(reader, agent, site)
    url = str(webhook.get("webhook_url") or "")
    yield from _deliver(site or url.rstrip("/").removesuffix(POST_CALL))
    if not settings.DIAL_ALLOWED_PREFIXES:
        yield warning("No number may be dialled.", "Set DIAL_ALLOWED_PREFIXES, as in +49; leave it if nobody dials.")


def _secrets() -> Iterator[Finding]:
    """Examine callsite's own secrets."""
    if not secrets_of(settings.ELEVENLABS_WEBHOOK_SECRET):
        yield broken(
            "ELEVENLABS_WEBHOOK_SECRET is empty: callsite cannot check who sends post-call webhooks.",
            "Put the webhook_secret into it that ElevenLabs showed when the webhook was made.",
        )
    if not secrets_of(settings.ELEVENLABS_TOOL_SECRET):
        yield broken(
            "ELEVENLABS_TOOL_SECRET is empty: live turns and conversation-init are not let in.",
            "Put what `openssl rand -hex 32` prints into it, and `Bearer ` and the same into a secret at ElevenLabs.",
        )


def _examine_key(client: Client) -> Finding | None:
    try:
        client.conversations(page_size=1)
    except Refused as error:
        if _lacks_scope(error):
            return _scope("conversations")
        if error.status == 401:
            mend = f"Make a key at {KEYS_PAGE}. A workspace with data residency has its own: see ELEVENLABS_API_URL."
            return broken(f"ElevenLabs does not know the key: {error}", mend)
        again = error.is_busy or error.status >= 500
        mend = "Try again in a minute." if again else "Check ELEVENLABS_API_URL."
        return broken(f"ElevenLabs' API answers {error.status}: {error}", mend)
    except UpstreamError as error:
        return broken(str(error), "Check ELEVENLABS_API_URL, and whether this machine may reach it.")
    return None


def _lacks_scope(error: Refused) -> bool:
    return error.status == 403 or "permission" in error.code


def _scope(what: str) -> Finding:
    return broken(f"The key may not read the {what}.", f"Edit the key at {KEYS_PAGE}: give it this permission.")


class _Reader:
    """Reads the set-up at ElevenLabs, and turns errors into findings."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.unread = set[str]()  # parts that may exist, but could not be read

    def read(self, path: str, what: str, missing: Finding | None = None, **query: Any) -> _Read:
        try:
            return self.client.get(path, **query)
        except Refused as error:
            if error.status == 404 and missing is not None:
                yield missing
                return None
            self.unread.add(what)
            if _lacks_scope(error):
                yield _scope(what)
            else:
                yield broken(f"The {what} cannot be read: {error}", "Try again; else ask ElevenLabs.")
        except UpstreamError as error:
            self.unread.add(what)
            yield broken(f"The {what} cannot be read: {error}", "Try again.")
        return None


def _clock(client: Client) -> Iterator[Finding]:
    """Compare this machine's clock with ElevenLabs', which signs with the time: both clocks have to agree."""
    try:
        skew = time.time() - parsedate_to_datetime(client.date()).timestamp()
    except (UpstreamError, ValueError, TypeError):
        return
    if abs(skew) > SKEW_SECONDS:
        text = f"The clock of this machine is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ElevenLabs'."
        mend = "Set it by NTP: timedatectl set-ntp true. A signature counts for 30 minutes, and 5 minutes ahead."
        yield broken(text, mend) if abs(skew) > MAX_AHEAD_SECONDS - SKEW_SECONDS else warning(text, mend)


def _agent(reader: _Reader) -> _Read:
    agent_id: str = settings.ELEVENLABS_AGENT_ID
    if not agent_id:
        yield warning("No agent is set, so none is examined.", "Set ELEVENLABS_AGENT_ID to the agent's ID.")
        return None
    mend = "Copy the ID from the agent's page. IDs are of one workspace, as keys are."
    missing = broken(f"ElevenLabs has no agent {agent_id} in this workspace.", mend)
    agent = yield from reader.read(f"/v1/convai/agents/{quote(agent_id, safe='')}", "agent", missing)
    if agent is not None:
        yield fine(f"The agent {agent_id} is there.")
    return agent


def _phone_number(reader: _Reader, agent: dict[str, Any] | None) -> Iterator[Finding]:
    phone_number_id: str = settings.ELEVENLABS_PHONE_NUMBER_ID
    if not phone_number_id:
        yield warning("No phone number is set to dial from.", "Set ELEVENLABS_PHONE_NUMBER_ID, or name one per dial.")
        return
    mend = "GET /v1/convai/phone-numbers lists their IDs; ElevenLabs → Phone Numbers adds one."
    missing = broken(f"ElevenLabs has no phone number {phone_number_id} in this workspace.", mend)
    number = yield from reader.read(
        f"/v1/convai/phone-numbers/{quote(phone_number_id, safe='')}", "phone number", missing
    )
    if number is None:
        return
    assigned = mapping(number.get("assigned_agent")).get("agent_id")
    if agent is not None and assigned != agent.get("agent_id"):
        text = "Who calls the phone number reaches another agent, or none."
        body = json.dumps({"agent_id": agent.get("agent_id")})
        yield warning(text, f"PATCH /v1/convai/phone-numbers/{phone_number_id} {body}")
    else:
        yield fine(f"The phone number {phone_number_id} is there.")


def _tool(reader: _Reader, agent: dict[str, Any], site: str) -> Iterator[Finding]:
    tools: list[dict[str, Any]] = []
    for tool_id in tool_ids_of(agent)[:TOOLS_MAX]:
        missing = broken(f"The agent has a tool {tool_id} that is not there.", "Remove it from the agent.")
        tool = yield from reader.read(f"/v1/convai/tools/{quote(tool_id, safe='')}", "tools", missing)
        if "tools" in reader.unread:
            return  # it is not known whether the agent has callsite's tool
        tools.append(mapping((tool or {}).get("tool_config")))
    yield from or_fine(examine_tool(tools, site), "The agent has a tool that tells what is said.")


def _deliver(site: str) -> Iterator[Finding]:
    """Send a signed test delivery to callsite's own public address, as ElevenLabs does."""
    secrets = secrets_of(settings.ELEVENLABS_WEBHOOK_SECRET)
    if not site:
        yield warning("callsite's public address is not known.", "Give it: elevenlabs_doctor --url https://YOUR-HOST")
        return
    if not secrets:
        return
    url = site + POST_CALL
    stamp = str(int(time.time()))
    digest = hmac.new(secrets[0], stamp.encode() + b"." + TEST_DELIVERY, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "ElevenLabs-Signature": f"t={stamp},v0={digest}"}
    try:
        status = exchange("POST", url, headers, TEST_DELIVERY, DELIVERY_SECONDS, ANSWER_MAX_BYTES).status
    except UpstreamError as error:
        yield broken(f"A test delivery to {url} failed: {error}", "Start callsite and its tunnel or proxy; check DNS.")
        return
    if status == 200:
        yield fine(f"A signed test delivery to {url} was taken.")
    elif status == 401:
        mend = "The server there must have the ELEVENLABS_WEBHOOK_SECRET of here, and its proxy must keep headers."
        yield broken(f"{url} refuses the signature of a test delivery.", mend)
    else:
        yield broken(f"{url} answers a test delivery with {status}.", "Is it callsite? Look at its log and its proxy.")
