"""One line of the log for each webhook: what it was, what became of it, and where and why it failed."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest
from django.db.models.signals import post_save
from django.urls import reverse

from calls.models import Call
from callsite.tests.conftest import GOOD, error_of, ids, told
from conftest import payload
from webhooks import handlers, journal
from webhooks.batching import outcomes
from webhooks.models import WebhookDelivery


def test_a_transcription_tells_what_it_was_what_was_taken_and_how_the_call_changed(site, call, log):
    body = payload(GOOD, call.conversation_id)
    assert site.post_call(body).status_code == 200
    line = told(log)
    assert line.pop("digest", None) or line.pop("delivery")
    assert line == {
        **{"level": "info", "event": "Webhook applied", "route": "post-call", "type": "post_call_transcription"},
        **{"outcome": "applied", "answer": 200},
        **ids(call),
        **{"status_before": "in_progress", "status_after": "completed", "event_time": "2025-11-09T18:45:11Z"},
        **{"duration_seconds": 79, "cost": 531, "summary_length": len(body["data"]["analysis"]["transcript_summary"])},
    }


def test_a_failure_a_recording_and_a_question_before_a_call_have_their_lines(site, call, log):
    assert site.post_call(payload("failure_twilio", call.conversation_id)).status_code == 200
    assert site.post_call(payload("audio_small_mp3", call.conversation_id)).status_code == 200
    assert site.init(call_sid="CA_1", conversation_id="conv_init", caller_id="+15550009999").status_code == 200
    failure, recording, init = log()
    assert (failure["status_before"], failure["status_after"]) == ("in_progress", "failed")
    assert (recording["type"], recording["recording_bytes"]) == ("post_call_audio", 1050)
    assert (recording["status_before"], recording["status_after"]) == ("failed", "failed")
    assert ids(call).items() <= recording.items()
    assert (init["route"], init["call_sid"], init["conversation_id"]) == ("conversation-init", "CA_1", "conv_init")
    assert [line["delivery"] for line in log()] == sorted(WebhookDelivery.objects.values_list("pk", flat=True))


def test_a_repeat_says_that_it_is_one(site, call, log):
    for _ in range(3):
        assert site.post_call(payload(GOOD, call.conversation_id)).status_code == 200
    first, *repeats = log()
    assert "times_received" not in first
    assert [line["times_received"] for line in repeats] == [2, 3]
    for line in repeats:
        assert (line["event"], line["level"], line["outcome"]) == ("Webhook repeated", "info", "applied")
        assert ids(call).items() <= line.items()
        assert line["delivery"] == WebhookDelivery.objects.get().pk


def test_what_waits_for_its_call_is_told_and_told_again_when_the_call_appears(site, transactional_db, log):
    assert site.post_call(payload(GOOD, "conv_late")).status_code == 404
    (waits,) = log()
    assert (waits["level"], waits["event"], waits["outcome"]) == ("warning", "Webhook waits for its call", "unmatched")
    assert (waits["step"], waits["answer"], waits["conversation_id"]) == ("look up", 404, "conv_late")
    assert waits["reason"] == "Call not found for conversation_id: conv_late"
    call = Call.register(call_sid="EL_late", conversation_id="conv_late")
    _, applied = log()
    assert (applied["level"], applied["event"]) == ("info", "Kept webhook applied")
    assert (applied["again"], applied["delivery"]) == ("its call appeared", waits["delivery"])
    assert (applied["status_before"], applied["status_after"]) == ("in_progress", "completed")
    assert ids(call).items() <= applied.items()
    assert "answer" not in applied


def test_a_turn_that_waited_is_told_when_it_is_stored(site, transactional_db, log):
    assert site.turn(call_sid="EL_late", speaker="agent", message="Unspeakable words").status_code == 404
    call = Call.register(call_sid="EL_late")
    waits, stored = log()
    assert (stored["level"], stored["event"], stored["delivery"]) == ("info", "Kept webhook applied", waits["delivery"])
    assert (stored["type"], stored["call_id"], stored["sequence_number"]) == ("turn", call.pk, 1)


def test_what_is_rolled_back_with_the_call_was_not_applied_and_is_not_told(site, transactional_db, log):
    assert site.post_call(payload(GOOD, "conv_late")).status_code == 404

    def register_and_fail():
        Call.register(call_sid="EL_late", conversation_id="conv_late")
        raise ZeroDivisionError

    assert isinstance(error_of(register_and_fail), ZeroDivisionError)
    assert len(log()) == 1


def test_what_waited_and_is_applied_for_another_webhook_keeps_its_own_ids(site, transactional_db, log):
    assert site.post_call(payload(GOOD, "conv_late")).status_code == 404
    assert site.init(call_sid="CA_late", conversation_id="conv_late").status_code == 200
    _, applied, init = sorted(log(), key=lambda line: (line["route"] == "conversation-init", line["time"]))
    assert (applied["event"], applied["call_sid"]) == ("Kept webhook applied", "CA_late")
    assert (init["event"], init["call_sid"]) == ("Webhook applied", "CA_late")
    assert applied["delivery"] < init["delivery"]


def test_the_staffs_apply_again_is_told_with_its_failure(site, call, log, admin_client, monkeypatch):
    def fail(*_):
        raise LookupError("Unspeakable words")

    monkeypatch.setattr(handlers, "handle_initiation_failure", fail)
    assert site.post_call(payload("failure_twilio", call.conversation_id)).status_code == 500
    delivery = WebhookDelivery.objects.get()
    action = {"action": "apply_deliveries_again", "_selected_action": [delivery.pk]}
    action |= {"after": 0, "until": delivery.pk, "total": 1, "done": 0, "applied": 0}
    admin_client.post(reverse("admin:webhooks_webhookdelivery_changelist"), action)
    first, again = (line for line in log() if "Webhook" in line["event"] or "webhook" in line["event"])
    assert (first["event"], again["event"]) == ("Webhook failed", "Kept webhook failed")
    assert (again["level"], again["again"], again["error"]) == ("error", "the staff asked", "LookupError")
    assert first["delivery"] == again["delivery"] == delivery.pk


def test_a_turn_that_is_stored_has_a_line_at_debug_alone_and_one_that_is_not_a_warning(site, call, log, caplog):
    said = {"speaker": "agent", "message": "Unspeakable words", "turn_id": "t1"}
    assert site.turn(call_sid=call.call_sid, **said).status_code == 201
    assert log.text() == ""
    caplog.set_level(logging.DEBUG, "webhooks")
    assert site.turn(call_sid=call.call_sid, **said).status_code == 200
    received, turn = log()
    assert received["event"] == "Webhook received"
    assert (turn["level"], turn["event"], turn["answer"]) == ("debug", "Webhook applied", 200)
    assert (turn["sequence_number"], turn["repeat"]) == (1, True)
    assert ids(call).items() <= turn.items()
    caplog.set_level(logging.INFO, "webhooks")
    assert site.turn(call_sid=call.call_sid, speaker="robot", message="Unspeakable words").status_code == 400
    assert site.turn(call_sid="EL_none", speaker="agent", message="Unspeakable words").status_code == 404
    bad, unmatched = log()[2:]
    assert (bad["level"], bad["step"], bad["outcome"]) == ("warning", "parse", "rejected")
    assert (unmatched["level"], unmatched["step"], unmatched["call_sid"]) == ("warning", "look up", "EL_none")
    assert "Unspeakable" not in log.text()


def test_at_debug_each_step_has_a_line(site, call, log, caplog):
    caplog.set_level(logging.DEBUG, "webhooks")
    for name in (GOOD, "audio_small_mp3"):
        assert site.post_call(payload(name, call.conversation_id)).status_code == 200
    steps = [line.get("step") for line in log() if line["event"] == "Webhook step"]
    for step in ("parse", "look up", "apply", "store"):
        assert steps.count(step) >= 2
    assert [line["event"] for line in log()].count("Webhook received") == 2


def test_webhooks_that_are_taken_together_have_a_line_each(transactional_db, on_postgresql, log):
    calls = [Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}") for n in range(3)]

    async def take(call):
        entry = journal.begin("post-call")
        good = "transcription_docs_sample"  # it names no other call_sid, which only one of them could learn
        answer = await outcomes.take(json.dumps(payload(good, call.conversation_id)).encode())
        entry.end(answer.status)

    async def take_all():
        await asyncio.gather(*map(take, calls))

    asyncio.run(take_all())
    lines = {line["call_id"]: line for line in log()}
    assert len(log()) == len(calls)
    for call in calls:
        assert ids(call).items() <= lines[call.pk].items()
        assert (lines[call.pk]["status_before"], lines[call.pk]["status_after"]) == ("in_progress", "completed")
        assert len(lines[call.pk]["digest"]) == 64


@pytest.mark.parametrize("name", [GOOD, "failure_twilio"])
def test_lines_that_other_code_writes_meanwhile_carry_the_ids(site, call, log, name):
    def hear(**_):
        logging.getLogger("django.elsewhere").warning("Meanwhile")

    post_save.connect(hear, sender=Call)
    try:
        assert site.post_call(payload(name, call.conversation_id)).status_code == 200
    finally:
        post_save.disconnect(hear, sender=Call)
    meanwhile = log("django.elsewhere")
    assert {line["conversation_id"] for line in meanwhile} == {call.conversation_id}
    logging.getLogger("django.elsewhere").warning("Later")
    assert "conversation_id" not in log("django.elsewhere")[-1]


def test_lines_about_many_webhooks_carry_the_ids_of_none(site, call, log, monkeypatch):
    sent = []

    class Away:
        async def group_send(self, _, batch):
            sent.append({message["type"] for message in batch["messages"]})
            raise OSError

    monkeypatch.setattr("realtime.publisher.get_channel_layer", Away)
    assert site.post_call(payload("failure_twilio", call.conversation_id)).status_code == 200
    deadline = time.monotonic() + 10
    while not any("ended" in kinds for kinds in sent) or len(log("realtime.publisher")) < len(sent):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert all("away" in line["event"] for line in log("realtime.publisher"))
    assert not any("conversation_id" in line for line in log("realtime.publisher"))


def test_a_line_stays_one_whatever_an_identifier_holds(site, transactional_db, log):
    evil = 'EL\n{"level":"forged"}\x1b[2J\x85\u2028\u202e'
    assert site.turn(call_sid=evil, speaker="agent", message="Hello").status_code == 404
    assert site.post_call(payload(GOOD, evil)).status_code == 404
    assert len(log.text().splitlines()) == 2
    for line in log():
        assert (line.get("conversation_id") or line["call_sid"]).startswith("EL\\n{")
        assert all(value.isprintable() for value in line.values() if isinstance(value, str))
