"""A webhook that comes before its call is known waits, and is applied by itself when the call appears."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from conftest import payload
from webhooks.models import WebhookDelivery


@pytest.fixture
def writer(transactional_db):
    user = get_user_model().objects.create_superuser("writer", password="writer")
    return str(AccessToken.for_user(user))


def waiting():
    return WebhookDelivery.objects.filter(outcome="unmatched").count()


@pytest.mark.parametrize(
    ("name", "status"),
    [("transcription_docs_sample", "completed"), ("failure_sip", "failed"), ("audio_small_mp3", None)],
)
def test_a_delivery_is_applied_when_the_call_is_registered(site, writer, name, status):
    body = payload(name, "conv_early")
    assert site.post_call(body).status_code == 404
    response = site.api("POST", "/api/calls/", writer, json={"call_sid": "EL_early", "conversation_id": "conv_early"})
    assert response.status_code == 201
    call = site.api("GET", "/api/calls/EL_early/", writer).json()
    assert call["status"] == (status or "in_progress")
    assert call["has_recording"] is (status is None)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, delivery.times_applied, delivery.error) == ("applied", 1, "")
    assert delivery.call.call_sid == "EL_early"
    again = site.post_call(body)
    assert (again.status_code, again.json()["call_sid"]) == (200, "EL_early")


def test_a_delivery_is_applied_when_a_known_call_gets_its_conversation_id(site, writer):
    assert site.post_call(payload("transcription_docs_sample", "conv_late")).status_code == 404
    Call.register(call_sid="EL_late")
    assert waiting() == 1
    response = site.api("PATCH", "/api/calls/EL_late/", writer, json={"conversation_id": "conv_late"})
    assert response.status_code == 200
    assert Call.objects.get().status == "completed"
    assert waiting() == 0


def test_only_what_is_about_the_call_is_applied(site):
    for conversation in ("conv_a", "conv_b"):
        site.post_call(payload("transcription_docs_sample", conversation))
    Call.register(call_sid="EL_a", conversation_id="conv_a")
    Call.register(call_sid="EL_none")
    assert list(WebhookDelivery.objects.filter(outcome="unmatched").values_list("conversation_id", flat=True)) == [
        "conv_b"
    ]


def test_turns_are_applied_in_the_order_they_came_then_what_ends_the_call(site):
    for n in range(5):
        identifier = {"call_sid": "EL_x"} if n % 2 else {"conversation_id": "conv_x"}
        assert site.turn(**identifier, speaker="agent", message=f"early {n}").status_code == 404
    site.post_call(payload("transcription_docs_sample", "conv_x"))
    call = Call.register(call_sid="EL_x", conversation_id="conv_x")
    turns = call.transcriptions.order_by("sequence_number").values_list("sequence_number", "message_text")
    assert list(turns) == [(n + 1, f"early {n}") for n in range(5)]
    call.refresh_from_db()
    assert (call.status, call.final_sequence_number) == ("completed", 5)
    assert site.turn(call_sid="EL_x", speaker="agent", message="next").json()["sequence_number"] == 6


def test_a_waiting_turn_that_was_sent_again_is_stored_once(site):
    for _ in range(3):
        site.turn(call_sid="EL_x", speaker="agent", message="Hello", turn_id="t-1")
    call = Call.register(call_sid="EL_x")
    assert call.transcriptions.count() == 1
    assert waiting() == 0


def test_a_delivery_that_cannot_be_applied_stops_neither_the_call_nor_the_others(site, settings, tmp_path):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    settings.MEDIA_ROOT = tmp_path / "blocked"
    site.post_call(payload("audio_small_mp3", "conv_x"))
    site.post_call(payload("transcription_docs_sample", "conv_x"))
    call = Call.register(call_sid="EL_x", conversation_id="conv_x")
    call.refresh_from_db()
    assert call.status == "completed"
    recording, transcription = WebhookDelivery.objects.order_by("id")
    assert (recording.outcome, transcription.outcome) == ("failed", "applied")
    assert "NotADirectoryError" in recording.error or "FileExistsError" in recording.error


def test_the_callers_registration_that_is_rolled_back_leaves_the_delivery_waiting(site):
    site.post_call(payload("transcription_docs_sample", "conv_x"))
    with transaction.atomic():
        Call.register(call_sid="EL_x", conversation_id="conv_x")
        transaction.set_rollback(True)
    assert waiting() == 1
    assert WebhookDelivery.objects.get().times_applied == 0


def test_an_event_that_links_its_call_is_applied_to_what_the_waiting_ones_left(inbox):
    """The failure names the call, and so brings the transcription that waited: it has to see that one's outcome."""
    assert inbox.post_call(payload("transcription_docs_sample", "conv_x")).status_code == 404
    failure = payload("failure_twilio", "conv_x")
    Call.register(call_sid=failure["data"]["metadata"]["body"]["CallSid"])
    assert inbox.post_call(failure).json()["call_status"] == "completed"
    assert (Call.objects.get().status, Call.objects.get().failure_reason) == ("completed", "")


def histories(size):
    return {"entries": [{"role": "user", "message": f"early {n}"} for n in range(size)]}


def queries_to_register(site, conversation_id, bodies):
    for body in bodies:
        assert site.turn(conversation_id=conversation_id, **body).status_code == 404
    with CaptureQueriesContext(connection) as captured:
        Call.register(call_sid=f"EL_{conversation_id}", conversation_id=conversation_id)
    assert waiting() == 0
    return len(captured)


@pytest.mark.parametrize(
    "body",
    [lambda n: {"speaker": "user", "message": f"early {n}"}, lambda n: {"history": histories(n + 1)}],
    ids=["turns", "histories"],
)
def test_many_that_wait_take_no_more_queries_than_a_few(site, body):
    few = queries_to_register(site, "conv_few", map(body, range(3)))
    many = queries_to_register(site, "conv_many", map(body, range(30)))
    assert many == few
    call = Call.objects.get_by_conversation_id("conv_many")
    turns = call.transcriptions.order_by("sequence_number")
    assert list(turns.values_list("message_text", flat=True)) == [f"early {n}" for n in range(30)]
    assert list(turns.values_list("created_at", flat=True)) == list(
        WebhookDelivery.objects.filter(call=call).order_by("id").values_list("received_at", flat=True)
    )


def test_what_waited_has_the_answer_that_it_would_have_got(site):
    for body in (
        {"speaker": "user", "message": "early 0", "turn_id": "t"},
        {"history": histories(2)},
        {"history": histories(4)},
        {"history": histories(3)},
        {"speaker": "user", "message": "early 2", "turn_id": "u"},
    ):
        assert site.turn(conversation_id="conv_x", **body).status_code == 404
    call = Call.register(call_sid="EL_x", conversation_id="conv_x")
    deliveries = WebhookDelivery.objects.order_by("id")
    assert [d.answer_status for d in deliveries] == [201, 200, 200, 200, 200]
    told = [(d.answer_body.get("stored"), d.answer_body.get("last_sequence_number")) for d in deliveries]
    assert told == [(None, None), (1, 2), (2, 4), (0, 4), (None, None)]
    assert {(d.outcome, d.times_applied, d.call_id) for d in deliveries} == {("applied", 1, call.pk)}
    again = site.turn(conversation_id="conv_x", speaker="user", message="early 2", turn_id="u")
    assert (again.status_code, again.json()["sequence_number"]) == (200, 3)
