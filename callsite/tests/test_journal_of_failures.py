"""A webhook that fails has one line too: the step, the reason, and no word of what was sent."""

from __future__ import annotations

import socket
import time

import pytest
from django.db import OperationalError, transaction

from calls.models import Call, effects
from callsite.tests.conftest import GOOD, ids, told
from conftest import POST_CALL, payload, sign
from webhooks import initiation
from webhooks.batching import outcomes
from webhooks.batching.turns import TurnWriter
from webhooks.models import WebhookDelivery

BAD = [
    (
        "wrong signature",
        {"signature": "t=1,v0=00"},
        "refused",
        401,
        "authenticate",
        "The signature is more than 30 min",
    ),
    ("no JSON", b"to=driver&text=Unspeakable", "rejected", 400, "decode", "The body is not JSON: Expecting value"),
    ("missing field", {"data": {}}, "rejected", 400, "parse", "Missing required field: data.conversation_id"),
    ("unknown type", {"type": "post_call_dance"}, "rejected", 400, "parse", "Unknown type. Supported: "),
    ("bad time", {"event_timestamp": "Unspeakable"}, "rejected", 400, "parse", "Field event_timestamp must be"),
]


@pytest.mark.parametrize(("what", "change", "outcome", "answer", "step", "reason"), BAD, ids=[bad[0] for bad in BAD])
def test_what_the_sender_did_wrong_is_a_warning_with_the_step_and_the_reason(
    site, call, log, what, change, outcome, answer, step, reason
):
    body = payload(GOOD, call.conversation_id)
    if isinstance(change, bytes):
        assert site.post_call(change).status_code == answer
    elif "signature" in change:
        assert site.post_call(body, **change).status_code == answer
    else:
        assert site.post_call({**body, **change}).status_code == answer
    line = told(log)
    assert line["reason"].startswith(reason)
    assert (line["level"], line["event"]) == ("warning", f"Webhook {outcome}")
    assert (line["outcome"], line["answer"], line["step"]) == (outcome, answer, step)
    assert ("delivery" in line) == (outcome == "rejected")
    assert line.get("type") == (
        None if isinstance(change, bytes) or "signature" in change else {**body, **change}["type"]
    )
    assert "Unspeakable" not in log.text()


def test_a_webhook_that_is_no_post_is_refused_in_a_line(site, log):
    assert site.client.get(POST_CALL).status_code == 405
    assert (told(log)["outcome"], log()[0]["reason"]) == ("refused", "Method GET not allowed. Send a POST request.")


def test_a_fault_of_ours_is_an_error_with_its_traceback_and_without_its_words(site, call, log, monkeypatch):
    def fail(*_):
        raise ValueError(f"cannot read {words!r}")

    words = "Unspeakable words"
    monkeypatch.setattr(effects, "take_post_call_data", fail)
    assert site.post_call(payload(GOOD, call.conversation_id)).status_code == 500
    line = told(log)
    assert (line["level"], line["event"], line["answer"], line["step"]) == ("error", "Webhook failed", 500, "apply")
    assert ids(call).items() <= line.items()
    assert line["delivery"] == WebhookDelivery.objects.get().pk
    assert line["error"] == "ValueError"
    assert 'call.py", line' in line["exception"]
    assert line["exception"].endswith(f"in {fail.__qualname__}\nValueError")
    assert "status_after" not in line
    assert words not in log.text()
    assert words in WebhookDelivery.objects.get().error, "the staff read them there"


@pytest.mark.parametrize("size", [0, outcomes.MAX_BYTES])
def test_a_database_that_is_away_is_an_error_that_names_the_webhook(site, call, log, monkeypatch, size):
    def fail(*_, **__):
        raise OperationalError("connection refused")

    body = payload(GOOD, call.conversation_id) | {"padding": "x" * size}
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "atomic", fail)
        assert site.post_call(body).status_code == 500
    line = told(log)
    assert (line["level"], line["event"]) == ("error", "Webhook could not be kept")
    assert (line["outcome"], line["answer"], line["step"]) == ("unavailable", 500, "connect")
    assert (line["error"], line["reason"]) == ("django.db.utils.OperationalError", "connection refused")
    assert line["conversation_id"] == call.conversation_id
    assert "exception" not in line


def test_a_turn_while_the_database_is_away_is_an_error_that_names_its_call(site, call, log, monkeypatch):
    async def fail(*_):
        raise OperationalError("connection refused")

    monkeypatch.setattr(TurnWriter, "write", fail)
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="Unspeakable words").status_code == 500
    line = told(log)
    assert (line["level"], line["outcome"], line["step"]) == ("error", "unavailable", "store")
    assert (line["type"], line["call_sid"], line["reason"]) == ("turn", call.call_sid, "connection refused")


def test_a_turn_that_the_inbox_stores_is_no_error(site, call, log, monkeypatch):
    async def fail(*_):
        raise LookupError("Unspeakable words")

    monkeypatch.setattr("webhooks.batching.turns.record_turns", fail)
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="Unspeakable words").status_code == 201
    assert log() == []
    (batch,) = log("webhooks.batching.turns")
    assert (batch["level"], batch["event"].rpartition(": ")[2]) == ("warning", "LookupError")


def test_a_question_that_is_answered_without_a_registered_call_is_an_error_and_told_again_when_it_is(
    site, transactional_db, log, monkeypatch
):
    def fail(*_, **__):
        raise OperationalError("connection refused")

    monkeypatch.setattr(initiation, "RETRY_SECONDS", (0.01, 0.01))
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "atomic", fail)
        assert site.init(call_sid="CA_1", conversation_id="conv_init", caller_id="+15550009999").status_code == 200
    deadline = time.monotonic() + 10
    while len(log()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    failed, later = log()
    assert failed["event"] == "Webhook answered without a registered call"
    assert (failed["level"], failed["outcome"], failed["answer"]) == ("error", "unavailable", 200)
    assert (failed["fault"], failed["step"], failed["reason"]) == ("database", "connect", "connection refused")
    assert (later["level"], later["event"], later["outcome"]) == ("info", "Kept webhook applied", "applied")
    for line in (failed, later):
        assert (line["call_sid"], line["conversation_id"]) == ("CA_1", "conv_init")
    assert later["call_id"] == Call.objects.get().pk


def test_a_question_that_names_no_call_is_answered_and_told(site, transactional_db, log):
    assert site.init(caller_id="+15550009999").status_code == 200
    line = told(log)
    assert (line["level"], line["outcome"], line["fault"]) == ("warning", "rejected", "body")
    assert (line["step"], line["reason"]) == ("parse", "Missing required field: call_sid or conversation_id")


def test_a_client_that_goes_away_in_the_middle_of_its_body_is_told_and_is_no_fault_of_ours(site, log):
    headers = {"ElevenLabs-Signature": sign(b"{}"), "Content-Length": "1000", "Host": "127.0.0.1"}
    with socket.create_connection(("127.0.0.1", site.port)) as client:
        lines = [f"POST {POST_CALL} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        client.sendall("\r\n".join([*lines, "", "{}"]).encode())
        time.sleep(0.1)
    deadline = time.monotonic() + 10
    while not log():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    line = told(log)
    assert (line["level"], line["outcome"], line["answer"], line["step"]) == ("warning", "refused", 499, "receive")
    assert line["reason"] == "The client went away. Send the whole body."
