"""Bodies that mean no good, on every route: an answer below 500, the delivery kept, and the next good one works."""

from __future__ import annotations

import functools
import json
import operator
import random
from typing import Any

import pytest

from conftest import INIT, PAYLOADS, POST_CALL, TOOL_SECRET, TURN, payload
from lab.stack.depth import examples
from webhooks.models import WebhookDelivery

EXPECTED = json.loads((PAYLOADS / "expected.json").read_text())
FILES = sorted((PAYLOADS / "invalid").iterdir())


def about(call, raw):
    """The body with a call that exists, where it names one, so that it goes all the way down."""
    try:
        named = json.loads(raw)["data"]["conversation_id"]
    except (ValueError, KeyError, TypeError):
        return raw
    if not isinstance(named, str) or not named.strip() or not named.isprintable() or len(named) > 64:
        return raw
    return raw.replace(json.dumps(named).encode(), json.dumps(call.conversation_id).encode())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_odd_body_is_answered_and_kept(site, call, file):
    raw = about(call, file.read_bytes())
    assert site.client.post(POST_CALL, content=raw).status_code == 401
    response = site.post_call(raw)
    assert response.status_code < 500, response.text
    if wanted := EXPECTED.get(f"invalid/{file.name}"):
        assert response.status_code == wanted["answer"], response.text
    delivery = WebhookDelivery.objects.get()
    assert bytes(delivery.body) == raw
    assert delivery.answer_status == response.status_code
    assert delivery.outcome == {200: "applied", 400: "rejected", 404: "unmatched"}[response.status_code]
    if response.status_code >= 400:
        assert set(response.json()) == {"status", "message", "details"}
        call.refresh_from_db()
        assert (call.status, call.metadata_json, call.call_end_time) == ("in_progress", None, None)
    for path in (TURN, INIT):
        answer = site.client.post(path, content=raw, headers={"Authorization": f"Bearer {TOOL_SECRET}"})
        assert answer.status_code < 500, answer.text
    assert site.post_call(payload("transcription_minimal", call.conversation_id)).status_code == 200


@pytest.mark.parametrize("seed", range(4))
def test_a_good_body_with_damaged_bytes_never_breaks_anything(site, call, seed):
    rng = random.Random(seed)
    good = json.dumps(payload("transcription_docs_sample", call.conversation_id)).encode()
    for _ in range(examples(40)):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        response = site.post_call(bytes(raw))
        assert response.status_code in (200, 400, 404), (response.text, bytes(raw))
    assert not WebhookDelivery.objects.filter(outcome="failed").exists()


HOSTILE = [
    "",
    " ",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "‮abc",
    "<script>alert(1)</script>",
    "'; DROP TABLE calls_call; --",
]
HOSTILE += ["%s%n{0}", "../../etc/passwd", "a\r\nX-Evil: 1", "x" * 70_000, "😀" * 300, "\ufeff", "\x7f\x1b[2J"]
STRANGE: list[Any] = [
    *HOSTILE,
    None,
    True,
    0,
    -1,
    1.5,
    10**14,
    10**30,
    -(10**30),
    1e308,
    5e-324,
    [],
    [[]],
    {},
    {"a": {"b": None}},
]
OPTIONAL = [
    *("data.agent_id", "data.agent_name", "data.status", "data.transcript", "data.metadata", "data.analysis"),
    *("data.conversation_initiation_client_data", "data.metadata.start_time_unix_secs", "data.metadata.cost"),
    *("data.metadata.call_duration_secs", "data.metadata.cost_fiat", "data.metadata.phone_call"),
    *("data.metadata.termination_reason", "data.metadata.error", "data.analysis.call_successful"),
    *("data.analysis.transcript_summary", "data.conversation_initiation_client_data.dynamic_variables"),
    "data.metadata.phone_call.direction",
    "data.metadata.phone_call.agent_number",
    "data.metadata.phone_call.external_number",
    "data.metadata.phone_call.call_sid",
]


@pytest.mark.parametrize("field", OPTIONAL)
def test_an_optional_field_of_any_kind_is_never_an_error(inbox, call, field):
    """Each a little later than the one before, so that it refreshes the call."""
    for later, strange in enumerate(STRANGE):
        body = payload("transcription_sip_trunk", call.conversation_id)
        body["event_timestamp"] += later
        *path, name = field.split(".")
        functools.reduce(operator.getitem, path, body)[name] = strange
        response = inbox.post_call(body)
        assert response.status_code == 200, (strange, response.text)
        call.refresh_from_db()
        assert call.call_end_time.timestamp() == body["event_timestamp"]
        assert call.call_successful in (True, False, None)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_identifier_is_an_answer_like_any_other(site, text):
    def tool(path, **body):
        headers = {"Authorization": f"Bearer {TOOL_SECRET}"}
        return site.client.post(path, content=json.dumps(body).encode(), headers=headers)

    answers = [
        site.post_call(payload("transcription_minimal", text)),
        tool(TURN, call_sid=text, speaker="agent", message="Hello"),
        tool(TURN, conversation_id=text, speaker="agent", message="Hello", turn_id=text),
        tool(INIT, call_sid=text, caller_id=text, agent_id=text, called_number=text),
    ]
    assert all(answer.status_code in (200, 400, 404) for answer in answers), [a.text for a in answers]
    assert not WebhookDelivery.objects.filter(outcome="failed").exists()
