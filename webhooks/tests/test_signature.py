"""ElevenLabs-Signature: the published vectors, the rules where they are silent, and the official SDK's opinion."""

from __future__ import annotations

import json
import time

import pytest
from elevenlabs import ElevenLabs as Sdk
from elevenlabs.errors import BadRequestError

from conftest import PAYLOADS, POST_CALL, WEBHOOK_SECRET, payload, sign
from webhooks.errors import NotAuthenticated
from webhooks.models import WebhookDelivery
from webhooks.signature import read_header

VECTORS = json.loads((PAYLOADS / "other" / "signature_vectors.json").read_text())
# where the vectors say what the SDK does, the rule here: several v0, any good; no time ahead; lower-case, no spaces
OWN_RULE = {"future 1 h": False, "two v0, good last": True, "two v0, good first": True}


def accepted(case):
    if isinstance(case["accept"], bool):
        return case["accept"]
    return OWN_RULE.get(case["name"].split(" (")[0], False)


def is_good(body, header, secret, now):
    try:
        read_header(header, [secret.encode()], now).confirm(body)
    except NotAuthenticated:
        return False
    return True


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_the_published_vectors_hold(case):
    header, body = case["header"].encode("latin-1", "replace"), VECTORS["body_utf8"].encode()
    assert is_good(body, header, VECTORS["secret"], case["now"]) == accepted(case)


@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-299, True), (1799, True), (1802, False)])
def test_a_signature_is_good_for_thirty_minutes_and_five_ahead(seconds, good):
    now = 1_762_713_911
    assert is_good(b"{}", sign(b"{}", at=now - seconds).encode(), WEBHOOK_SECRET, now) == good


def post(site, raw, header):
    headers = [(b"content-type", b"application/json")]
    headers += [(b"elevenlabs-signature", header.encode("latin-1"))] if header is not None else []
    return site.client.post(POST_CALL, content=raw, headers=headers)


@pytest.mark.parametrize(
    ("what", "header"),
    [
        ("no header", lambda raw: None),
        ("an empty one", lambda raw: ""),
        ("a wrong secret", lambda raw: sign(raw, "wrong")),
        ("another body", lambda raw: sign(raw + b" ")),
        ("too old", lambda raw: sign(raw, at=time.time() - 1900)),
        ("too far ahead", lambda raw: sign(raw, at=time.time() + 900)),
        ("no v0", lambda raw: f"t={int(time.time())}"),
        ("an empty v0", lambda raw: f"t={int(time.time())},v0="),
        ("no t", lambda raw: "v0=" + "0" * 64),
        ("two t", lambda raw: "t=1," + sign(raw)),
        ("t with a sign", lambda raw: sign(raw).replace("t=", "t=+")),
        ("t with spaces", lambda raw: sign(raw).replace("t=", "t= ")),
        ("t in other digits", lambda raw: "t=\xb2,v0=00"),
        ("t of 5,000 digits", lambda raw: "t=" + "9" * 5000 + ",v0=00"),
        ("non-ASCII hex", lambda raw: f"t={int(time.time())},v0=\xe9"),
        ("upper-case hex", lambda raw: sign(raw).upper().replace("T=", "t=").replace("V0=", "v0=")),
        ("v1", lambda raw: sign(raw).replace("v0=", "v1=")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_that_is_not_signed_is_answered_401_and_leaves_nothing(site, call, caplog, what, header):
    raw = json.dumps(payload("transcription_docs_sample", call.conversation_id)).encode()
    response = post(site, raw, header(raw))
    assert response.status_code == 401
    assert set(response.json()) == {"status", "message", "details"}
    assert WEBHOOK_SECRET not in response.text
    assert "Webhook refused" in caplog.text
    assert response.json()["details"] in caplog.text
    if what == "a wrong secret":
        assert "ELEVENLABS_WEBHOOK_SECRET" in caplog.text
    assert WEBHOOK_SECRET not in caplog.text
    assert not WebhookDelivery.objects.exists()
    call.refresh_from_db()
    assert call.status == "in_progress"


def test_the_signature_is_over_the_bytes_as_they_came(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    spaced = json.dumps(body, indent=3, ensure_ascii=False).encode() + b"\n\n"
    assert post(site, spaced, sign(json.dumps(body).encode())).status_code == 401
    assert post(site, spaced, sign(spaced)).status_code == 200


def test_any_of_several_v0_is_good(site, call):
    raw = json.dumps(payload("transcription_docs_sample", call.conversation_id)).encode()
    stamp, good = sign(raw).split(",")
    for header in (f"{stamp},v0={'0' * 64},{good}", f"{stamp},{good},v0={'0' * 64}", f"{good},{stamp},v2=future"):
        assert post(site, raw, header).status_code == 200
    assert post(site, raw, f"{stamp},v0={'0' * 64},v0={'1' * 64}").status_code == 401


@pytest.mark.parametrize("name", ["transcription_docs_sample", "transcription_full_featured", "audio_small_mp3"])
def test_the_official_sdk_agrees_on_headers_that_are_valid(site, call, name):
    body, sdk = payload(name, call.conversation_id), Sdk(api_key="none").webhooks
    text = json.dumps(body, ensure_ascii=False)
    for header in (sign(text.encode()), sign(text.encode(), at=time.time() - 1700)):
        assert sdk.construct_event(text, header, WEBHOOK_SECRET) == body
        assert post(site, text.encode(), header).status_code == 200
    for header in (sign(text.encode(), "wrong"), sign(text.encode(), at=time.time() - 1900)):
        with pytest.raises(BadRequestError):
            sdk.construct_event(text, header, WEBHOOK_SECRET)
        assert post(site, text.encode(), header).status_code == 401


@pytest.mark.parametrize("setting", ["v1,wsec_0123456789abcdef", "wsec_0123456789abcdef, V0"])
def test_the_version_that_some_services_write_before_a_secret_signs_nothing(site, settings, setting):
    settings.ELEVENLABS_WEBHOOK_SECRET = setting
    body = json.dumps({"type": "voice_removed", "event_timestamp": 1, "data": {}}).encode()
    assert post(site, body, sign(body, "wsec_0123456789abcdef")).status_code == 200
    for version in ("v1", "V0"):
        assert post(site, body, sign(body, version)).status_code == 401
