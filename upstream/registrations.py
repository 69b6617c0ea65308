"""Examines what is registered at ElevenLabs: the post-call webhook, conversation-init, and the agent's tool.

Shapes: the official SDK's `WorkspaceWebhookResponseModel`, `GetConvAiSettingsResponseModel`, `GetAgentResponseModel`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from upstream.findings import Finding, broken, warning
from webhooks.fields import mapping
from webhooks.signature import secrets_of

POST_CALL = "/webhooks/elevenlabs/post-call"
TURN = "/webhooks/elevenlabs/transcription"
INIT = "/webhooks/elevenlabs/conversation-init"
RECENT_SECONDS = 24 * 3600
NEEDED_EVENTS, FURTHER_EVENTS = ("transcript", "call_initiation_failure"), ("audio",)
WHY_IT_FAILED = {
    401: "The secret differs: ELEVENLABS_WEBHOOK_SECRET must be the one that ElevenLabs showed for this webhook.",
    404: "The calls were not known: register them, or set ELEVENLABS_CREATE_UNKNOWN_CALLS=true.",
    413: "A body was too large: raise WEBHOOK_MAX_BYTES, and the limit of the proxy in front.",
}
INIT_SWITCH = "enable_conversation_initiation_client_data_from_webhook"
AUTHORIZATION = 'the header {"Authorization": {"secret_id": "…"}}, whose secret is `Bearer ` and ELEVENLABS_TOOL_SECRET'


def is_ours(url: Any, path: str) -> bool:
    """Tell whether a URL has the path of this route, on any host."""
    return isinstance(url, str) and urlsplit(url).path.rstrip("/").endswith(path)


def webhook_of(webhooks: dict[str, Any], site: str) -> dict[str, Any]:
    """Return the post-call webhook of the workspace: the one of this site, else of another callsite; {} if none."""
    listed = webhooks.get("webhooks")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    found = [one for one in found if is_ours(one.get("webhook_url"), POST_CALL)]
    at_site = [one for one in found if str(one["webhook_url"]).rstrip("/") == site + POST_CALL]
    return (at_site or found or [{}])[0]


def examine_webhook(webhook: dict[str, Any], site: str) -> Iterator[Finding]:
    """Examine the post-call webhook of the workspace; `site` is "" if it is not known."""
    url = site + POST_CALL if site else f"https://YOUR-HOST{POST_CALL}"
    if not webhook:
        body = {"settings": {"auth_type": "hmac", "name": "callsite", "webhook_url": url}}
        yield broken(
            "No webhook of the workspace leads to callsite.",
            f"POST /v1/workspace/webhooks {json.dumps(body)}, and put the webhook_secret of its answer into "
            "ELEVENLABS_WEBHOOK_SECRET.",
        )
        return
    name, key = webhook.get("name"), webhook.get("webhook_id")
    if site and str(webhook["webhook_url"]).rstrip("/") != url:
        yield broken(
            f"The post-call webhook leads to {webhook['webhook_url']}, not to {url}.",
            "Make one with this address, as ElevenLabs cannot change it: ElevenLabs → Settings → Webhooks.",
        )
    patch = {"is_disabled": False, "name": name, "retry_enabled": True}
    mend = f"PATCH /v1/workspace/webhooks/{key} {json.dumps(patch)}"
    if webhook.get("is_auto_disabled"):
        yield broken("ElevenLabs has switched the post-call webhook off, as it failed again and again.", mend)
    elif webhook.get("is_disabled"):
        yield broken("The post-call webhook is switched off.", mend)
    if webhook.get("retry_enabled") is False:
        yield broken("Retries of the post-call webhook are off: what comes during an outage is lost.", mend)
    elif "retry_enabled" not in webhook:
        yield warning("ElevenLabs does not say whether retries of the post-call webhook are on.", mend)
    if webhook.get("auth_type") not in (None, "hmac"):
        yield broken("The post-call webhook is not signed with a secret (HMAC).", "Make one with auth_type hmac.")
    failed_at, code = webhook.get("most_recent_failure_timestamp"), webhook.get("most_recent_failure_error_code")
    if isinstance(failed_at, int | float) and time.time() - failed_at < RECENT_SECONDS:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(failed_at))
        mend = WHY_IT_FAILED.get(code if isinstance(code, int) else 0, "The log of callsite at that time tells why.")
        yield warning(f"A post-call webhook failed with {code} on {when}.", f"{mend} reconcile_calls repairs the rest.")


def examine_events(webhook: dict[str, Any], workspace: dict[str, Any], agent: dict[str, Any]) -> Iterator[Finding]:
    """Examine whether the agent's events go to this webhook, by the workspace's settings or the agent's own."""
    own = mapping(mapping(mapping(agent.get("platform_settings")).get("workspace_overrides")).get("webhooks"))
    given = own if own.get("post_call_webhook_id") else mapping(workspace.get("webhooks"))
    where = "the agent's" if given is own else "the workspace's"
    key = webhook.get("webhook_id") or "WEBHOOK-ID"
    listed = given.get("events")
    events = [str(event) for event in listed] if isinstance(listed, list) else []
    wanted = {"webhooks": {"post_call_webhook_id": key, "events": [*NEEDED_EVENTS, *FURTHER_EVENTS]}}
    mend = f"PATCH /v1/convai/settings {json.dumps(wanted)}"
    if not given.get("post_call_webhook_id") or (webhook and given["post_call_webhook_id"] != key):
        yield broken(f"Post-call events do not go to this webhook: {where} settings name another one, or none.", mend)
        return
    if given.get("send_audio") and "audio" not in events:
        events.append("audio")
    if missing := [event for event in NEEDED_EVENTS if event not in events]:
        yield broken(f"The post-call webhook gets no {' and no '.join(missing)}: {where} events lack it.", mend)
    if missing := [event for event in FURTHER_EVENTS if event not in events]:
        yield warning("The post-call webhook gets no audio, so recordings come by reconcile_calls alone.", mend)
    if given.get("transcript_format") == "opentelemetry":
        yield broken("Transcripts are sent as OpenTelemetry, which callsite ignores.", "Set transcript_format to json.")
    if given.get("exclude_transcript"):
        yield warning("Webhooks leave the transcript out (exclude_transcript).", "Set exclude_transcript to false.")


def examine_init(workspace: dict[str, Any], agent: dict[str, Any], site: str) -> Iterator[Finding]:
    """Examine the conversation-initiation webhook, which calls that callsite did not place need."""
    platform = mapping(agent.get("platform_settings"))
    name = "conversation_initiation_client_data_webhook"
    given = mapping(mapping(platform.get("workspace_overrides")).get(name)) or mapping(workspace.get(name))
    url = site + INIT if site else f"https://YOUR-HOST{INIT}"
    mend = f"Set {name} to {url}, with {AUTHORIZATION}: ElevenLabs → Agents → Settings."
    if not given:
        yield broken("There is no conversation-initiation webhook: inbound calls are unknown until they end.", mend)
        return
    if not is_ours(given.get("url"), INIT) or (site and str(given["url"]).rstrip("/") != url):
        yield broken(f"The conversation-initiation webhook leads to {given.get('url')}.", mend)
    yield from _examine_authorization("The conversation-initiation webhook", given.get("request_headers"))
    if agent and mapping(platform.get("overrides")).get(INIT_SWITCH) is not True:
        yield broken(
            "The agent does not ask the conversation-initiation webhook.",
            f'PATCH /v1/convai/agents/{agent.get("agent_id")} {{"platform_settings": {{"overrides": '
            f'{{"{INIT_SWITCH}": true}}}}}}, or Agent → Security → "Fetch conversation initiation data".',
        )


def tool_ids_of(agent: Any) -> list[str]:
    """Return the IDs of the agent's tools, and of the tools of the nodes of its workflow, at any depth."""
    if isinstance(agent, list):
        return [one for item in agent for one in tool_ids_of(item)]
    if not isinstance(agent, dict):
        return []
    ids: list[str] = []
    for name, value in agent.items():
        if name in ("tool_ids", "additional_tool_ids") and isinstance(value, list):
            ids += [one for one in value if isinstance(one, str)]
        elif name == "tool_id" and isinstance(value, str):
            ids.append(value)
        else:
            ids += tool_ids_of(value)
    return list(dict.fromkeys(ids))


def examine_tool(tools: list[dict[str, Any]], site: str) -> Iterator[Finding]:
    """Examine the agent's tool that reports turns; `tools` are the `tool_config`s of the agent's tools."""
    found = [tool for tool in tools if is_ours(mapping(tool.get("api_schema")).get("url"), TURN)]
    url = site + TURN if site else f"https://YOUR-HOST{TURN}"
    if not found:
        yield broken(
            "The agent has no tool that tells callsite what is said: calls are not heard live.",
            f"Make the tool of the README's step 3 with {url}, and add it to the agent.",
        )
        return
    schema = mapping(found[0].get("api_schema"))
    if site and str(schema["url"]).rstrip("/") != url:
        yield broken(f"The agent's tool leads to {schema['url']}, not to {url}.", "Change the url of the tool.")
    if schema.get("method") != "POST":
        yield broken("The agent's tool does not send POST requests.", "Set its method to POST.")
    yield from _examine_authorization("The agent's tool", schema.get("request_headers"))
    properties = mapping(mapping(schema.get("request_body_schema")).get("properties"))
    sent = {name: mapping(value).get("dynamic_variable") for name, value in properties.items()}
    if sent.get("conversation_id") != "system__conversation_id" and "call_sid" not in sent:
        yield broken(
            "The agent's tool does not say which call it is of.",
            'Add to its body "conversation_id": {"type": "string", "dynamic_variable": "system__conversation_id"}.',
        )
    if sent.get("history") != "system__conversation_history" and not {"speaker", "message"} <= sent.keys():
        yield broken(
            "The agent's tool does not send what was said.",
            'Add to its body "history": {"type": "string", "dynamic_variable": "system__conversation_history"}.',
        )


def _examine_authorization(whose: str, headers: Any) -> Iterator[Finding]:
    """Examine the header Authorization. If it is a secret at ElevenLabs, it cannot be read: its presence is enough."""
    given = {name.lower(): value for name, value in mapping(headers).items()}.get("authorization")
    if given is None:
        yield broken(f"{whose} sends no Authorization, so callsite answers 401.", f"Give it {AUTHORIZATION}.")
    elif isinstance(given, str):
        scheme, _, secret = given.partition(" ")
        if scheme.lower() != "bearer" or secret.strip().encode() not in secrets_of(settings.ELEVENLABS_TOOL_SECRET):
            yield broken(f"{whose} sends another secret than ELEVENLABS_TOOL_SECRET.", f"Give it {AUTHORIZATION}.")
