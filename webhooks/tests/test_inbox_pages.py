"""The inbox says why, what an unmatched delivery waits for, and gives bodies without what nobody should get."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.models import AccessLogEntry, Call
from conftest import payload, staff
from webhooks import bodies, handlers
from webhooks.inbox import receive
from webhooks.models import WebhookDelivery
from webhooks.why import visible, why

LIST = "/admin/webhooks/webhookdelivery/"


@pytest.fixture
def on_duty(db):
    return staff("view_webhookdelivery", "apply_again_webhookdelivery", "view_call")


def received(body, route="post-call"):
    receive(route, body if isinstance(body, bytes) else json.dumps(body).encode())
    return WebhookDelivery.objects.latest("id")


def page(client, delivery):
    return client.get(f"{LIST}{delivery.pk}/change/").text


def test_the_page_has_times_as_all_pages_write_them(on_duty, settings):
    settings.CALLS_TIME_ZONE = "Asia/Kathmandu"
    delivery = received(b"[]")
    WebhookDelivery.objects.filter(pk=delivery.pk).update(received_at=datetime(2026, 1, 5, 20, 30, 9, tzinfo=UTC))
    text = page(on_duty, delivery)
    assert '<time datetime="2026-01-05T20:30:09Z">6 Jan 2026, 02:15:09</time>' in text
    assert "calls/list.js" in text  # which says them in the reader's zone


def test_the_row_says_why(on_duty, monkeypatch):
    received(b'{"type": "post_call_transcription", "event_timestamp": 1, "data": {}}')
    received(payload("transcription_docs_sample", "conv_nobody"))
    received(payload("event_speech_to_text_transcription"))
    Call.register(call_sid="EL_1", conversation_id="conv_1")
    monkeypatch.setattr(handlers, "transcription_reply", lambda call: 1 / 0)
    received(payload("transcription_docs_sample", "conv_1"))
    text = on_duty.get(LIST).text
    for reason in (
        "Missing required field: data.conversation_id",
        "Call not found for conversation_id: conv_nobody",
        "callsite does nothing with speech_to_text_transcription.",
        "ZeroDivisionError: division by zero",
    ):
        assert f'<td class="field-why">{reason}</td>' in text, reason
    assert "Traceback" not in text


def test_a_long_reason_is_bounded_and_hides_secrets_and_marks():
    assert why("rejected", "", "x" * 1_000) == "x" * 200 + "…"
    assert why("rejected", "", "a\n\u202eb\x00") == "a \\u202eb\\u0000"
    assert "c2VjcmV0" not in why("failed", "", "Traceback\n\nError: Bearer Zm9vYmFy.c2VjcmV0.1234567890\n")
    assert why("applied", "", "") == ""
    assert visible("\u0627\u0644\u0639 \u05d0 é 😀\n\t") == "\u0627\u0644\u0639 \u05d0 é 😀\n\t"


def test_a_list_reads_neither_bodies_nor_whole_reasons(on_duty):
    row = received(payload("transcription_docs_sample", "conv_1"))
    WebhookDelivery.objects.filter(pk=row.pk).update(error="x" * 1_000_000)
    with CaptureQueriesContext(connection) as captured:
        assert len(on_duty.get(LIST).text) < 100_000
    for query in captured:
        assert not re.search(r'(?<!\()"webhooks_webhookdelivery"."error"', query["sql"]), "only inside of a function"
        assert '"webhooks_webhookdelivery"."answer_body"' not in query["sql"]


def test_an_unmatched_delivery_says_what_it_waits_for(on_duty):
    delivery = received(payload("transcription_docs_sample", "conv_0123456789"))
    text = page(on_duty, delivery)
    assert "It waits for a call with conversation_id <code><bdi>conv_0123456789</bdi></code>." in text
    assert "POST /api/calls/" in text
    assert "begins alike" not in text
    cut_off = Call.register(call_sid="EL_cut", conversation_id="conv_01234567")
    longer = Call.register(call_sid="conv_0123456789_more")
    Call.register(call_sid="EL_other", conversation_id="conv_9999999999")
    text = page(on_duty, delivery).partition("begins alike")[2].partition("</p>")[0]
    assert (cut_off.call_sid in text, longer.call_sid in text, "EL_other" in text) == (True, True, False)
    Call.objects.bulk_create([Call(call_sid="EL_now", conversation_id="conv_0123456789")])
    text = page(on_duty, delivery)
    assert "There is such a call by now" in text
    assert "EL_now" in text
    assert "It waits for" not in page(on_duty, received(b"{}"))


def test_a_turn_waits_under_both_of_its_names(on_duty):
    body = {"call_sid": "EL_7", "conversation_id": "conv_7", "speaker": "agent", "message": "Hello"}
    text = page(on_duty, received(body, "transcription"))
    assert "conversation_id <code><bdi>conv_7</bdi></code> or call_sid <code><bdi>EL_7</bdi></code>" in text


SECRET = "tok_0123456789abcdef"


@pytest.fixture
def secretive(db):
    body = payload("transcription_docs_sample", "conv_1")
    body["data"]["metadata"]["headers"] = {"Authorization": f"Bearer {SECRET}"}
    body["data"]["full_audio"] = "QUJD" * 1_000
    return received(body)


def test_the_body_is_downloaded_masked_by_who_may_view_it(on_duty, secretive):
    answer = on_duty.get(f"{LIST}{secretive.pk}/masked/")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="delivery-{secretive.pk}.json"'
    shown = json.loads(answer.content)
    assert shown["data"]["metadata"]["headers"] == {"Authorization": "***"}
    assert shown["data"]["full_audio"] == "(4000 characters of base64)"
    assert SECRET not in page(on_duty, secretive)


def test_the_raw_body_needs_its_own_permission_is_logged_and_has_no_audio(on_duty, secretive):
    raw = f"{LIST}{secretive.pk}/raw/"
    assert on_duty.get(raw).status_code == 403
    assert "Download as it came" not in page(on_duty, secretive)
    user = get_user_model().objects.get()
    user.user_permissions.add(Permission.objects.get(codename="view_raw_payload"))
    assert "Download as it came" in page(on_duty, secretive)
    answer = on_duty.get(raw)
    assert SECRET in answer.text
    assert "QUJDQUJD" not in answer.text
    logged = AccessLogEntry.objects.filter(kind="raw_body").values_list("user_id", "detail")
    assert list(logged) == [(user.pk, f"delivery {secretive.pk}")]
    assert answer["Content-Type"] == "application/octet-stream"
    assert on_duty.get(f"{LIST}999999/raw/").status_code == 404
    user.user_permissions.remove(Permission.objects.get(codename="view_webhookdelivery"))
    assert on_duty.get(raw).status_code == on_duty.get(f"{LIST}{secretive.pk}/masked/").status_code == 403


def test_a_hostile_body_is_shown_bounded_as_text_and_with_its_marks(on_duty):
    evil = "</pre><script>alert(1)</script>\u202eevil\u2066"
    body = {"agent_name": evil} | payload("transcription_docs_sample", "conv_1")
    body["data"]["metadata"]["padding"] = "x" * 2**20
    text = page(on_duty, received(body))
    assert "<script>alert" not in text
    assert "\\u202eevil\\u2066" in text
    assert "\u202e" not in text
    assert len(text) < 300_000


def test_a_body_that_is_too_large_to_mask_says_so(on_duty, monkeypatch):
    monkeypatch.setattr(bodies, "READ_BYTES", 100)
    delivery = received(payload("transcription_docs_sample", "conv_1"))
    assert "It is too large to be masked here" in page(on_duty, delivery)
    assert on_duty.get(f"{LIST}{delivery.pk}/masked/").status_code == 404


def test_one_delivery_is_applied_again_from_its_page_and_it_is_kept_who_did(on_duty):
    delivery = received(payload("transcription_docs_sample", "conv_1"))
    assert "Apply again …" in page(on_duty, delivery)
    Call.objects.bulk_create([Call(call_sid="EL_1", conversation_id="conv_1")])
    data = {"action": "apply_deliveries_again", "_selected_action": [delivery.pk]}
    asked = on_duty.post(LIST, data).text
    assert "The delivery would be: applied 1." in asked
    assert "Completes the call." in asked
    assert "<bdi>EL_1</bdi>" in asked
    assert Call.objects.get().status == "in_progress"
    done = on_duty.post(LIST, data | {"after": 0, "until": delivery.pk, "total": 1, "done": 0, "applied": 0})
    assert "Applied 1 of 1 deliveries." in done.text
    assert Call.objects.get().status == "completed"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.username) == (str(delivery.pk), "staff")
    assert entry.change_message == "Applied again: Applied."


def test_each_result_has_its_reason(on_duty):
    rows = [received(b"not JSON"), received(payload("transcription_docs_sample", "conv_nobody"))]
    data = {"action": "apply_deliveries_again", "_selected_action": [row.pk for row in rows]}
    begin = {"after": 0, "until": rows[-1].pk, "total": 2, "done": 0, "applied": 0}
    text = on_duty.post(LIST, data | begin).text
    assert "Applied 0 of 2 deliveries." in text
    assert "Call not found for conversation_id: conv_nobody" in text
    assert "not JSON" in text


def test_without_the_permission_to_change_there_is_no_button(db):
    client = staff("view_webhookdelivery")
    delivery = received(b"not JSON")
    assert "Apply again" not in page(client, delivery)


def test_no_list_counts_the_whole_table_for_its_filters(on_duty):
    received(b"not JSON")
    with CaptureQueriesContext(connection) as captured:
        assert "Show counts" not in on_duty.get(LIST + "?_facets=True").text
    assert not any("COUNT(" in query["sql"] for query in captured)
