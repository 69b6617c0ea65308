"""System checks that find settings with which webhooks would fail, before the first webhook comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from webhooks.signature import VERSION, items_of, secrets_of

SHORTEST_SECRET = 16
LONG_SECRETS = {
    "ELEVENLABS_WEBHOOK_SECRET": "Set it to the whole secret that ElevenLabs showed (wsec_…).",
    "ELEVENLABS_TOOL_SECRET": "Set it to a long random string, such as `openssl rand -hex 32` prints.",
}


@checks.register(checks.Tags.security)
def check_secrets(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """webhooks.E001: DEBUG is off and there is no webhook secret. webhooks.W001: likewise no tool secret."""
    if settings.DEBUG:
        return []
    found: list[checks.CheckMessage] = []
    if not secrets_of(settings.ELEVENLABS_WEBHOOK_SECRET):
        found.append(
            checks.Error(
                "ELEVENLABS_WEBHOOK_SECRET has no secret: every webhook will be answered 401.",
                hint="Set it to the secret that ElevenLabs showed when the webhook was created (wsec_…).",
                id="webhooks.E001",
            )
        )
    if not secrets_of(settings.ELEVENLABS_TOOL_SECRET):
        found.append(
            checks.Warning(
                "ELEVENLABS_TOOL_SECRET has no secret: live turns will be answered 401.",
                hint="Set it to a long random string, and give it to the server tool as a Bearer token.",
                id="webhooks.W001",
            )
        )
    return found


@checks.register(checks.Tags.security)
def check_length_of_secrets(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """webhooks.W002: a secret is short enough to guess. It warns under DEBUG too: a tunnel makes the server public."""
    return [
        checks.Warning(
            f"{name} has a secret of fewer than {SHORTEST_SECRET} characters: it can be guessed, and webhooks forged.",
            hint=f"{hint} A comma separates two secrets.",
            id="webhooks.W002",
        )
        for name, hint in LONG_SECRETS.items()
        if any(len(secret.decode()) < SHORTEST_SECRET for secret in secrets_of(getattr(settings, name)))
    ]


@checks.register(checks.Tags.security)
def check_shape_of_secrets(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """webhooks.W003: a secret contains something that does not belong to it. The message does not show the secret."""
    return [
        checks.Warning(f"{name} {fault}", hint=hint, id="webhooks.W003")
        for name in LONG_SECRETS
        for fault, hint in _faults_of_shape(items_of(getattr(settings, name)))
    ]


def _faults_of_shape(items: list[str]) -> Iterator[tuple[str, str]]:
    if any(VERSION.fullmatch(item) for item in items):
        yield "has a version, such as `v1`, beside the secret: callsite ignores it.", "Leave out `v1,`."
    if any(item.lower().startswith(("bearer ", "basic ")) for item in items):
        yield "begins with `Bearer `: senders would have to send that word twice.", "Leave that word out here."
    elif any(any(character.isspace() for character in item) for item in items):
        yield "has a secret with a blank inside.", "Copy the secret again. A comma separates two secrets."
    if any({item[0], item[-1]} & set("'\"`") for item in items):
        yield "has a secret with a quotation mark at one end.", "Leave out the quotation mark."


@checks.register(checks.Tags.compatibility)
def check_dynamic_variables(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """webhooks.E002: ELEVENLABS_DYNAMIC_VARIABLES is nothing that ElevenLabs takes."""
    variables = settings.ELEVENLABS_DYNAMIC_VARIABLES
    if not isinstance(variables, dict):
        fault = "must be a JSON object"
    elif "call_sid" in variables:
        fault = "has `call_sid`, which is callsite's own"
    elif odd := [name for name, value in variables.items() if not isinstance(value, str | int | float)]:
        fault = f"has {', '.join(odd)}, which must be a text, a number, true or false"
    else:
        return []
    return [
        checks.Error(
            f"ELEVENLABS_DYNAMIC_VARIABLES {fault}.",
            hint='For example {"company": "Acme"}.',
            id="webhooks.E002",
        )
    ]
