"""The inbox for the staff: found, read, applied again; nothing can be added, changed or deleted."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from calls.models import Call
from conftest import payload
from webhooks.inbox import receive
from webhooks.models import WebhookDelivery

LIST = "admin:webhooks_webhookdelivery_changelist"


def staff(*codenames):
    user = get_user_model().objects.create_user("staff", password="staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def on_duty(db):
    return staff("view_webhookdelivery", "change_webhookdelivery")


def deliver(name, conversation_id):
    receive("post-call", json.dumps(payload(name, conversation_id)).encode())


def page(client, delivery):
    return client.get(reverse("admin:webhooks_webhookdelivery_change", args=[delivery.pk]))


def test_the_list_costs_the_same_with_one_row_and_with_forty(on_duty):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert on_duty.get(reverse(LIST)).status_code == 200
        return [query["sql"] for query in captured]

    deliver("transcription_docs_sample", "conv_0")
    Call.register(call_sid="EL_0", conversation_id="conv_0")
    few = queries()
    for n in range(1, 40):
        Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}")
        deliver("transcription_docs_sample", f"conv_{n}")
    many = queries()
    assert len(many) == len(few), many
    assert not any('"webhooks_webhookdelivery"."body"' in sql for sql in many), "bodies are not read for a list"
    assert not any("final_transcript" in sql for sql in many), "nor are transcripts"


@pytest.mark.parametrize("query", ["?outcome__exact=unmatched", "?q=conv_1", "?route__exact=post-call", "?o=2"])
def test_deliveries_are_found(on_duty, query):
    deliver("transcription_docs_sample", "conv_1")
    response = on_duty.get(reverse(LIST) + query)
    assert response.status_code == 200
    assert "conv_1" in response.text
    assert "conv_1" not in on_duty.get(reverse(LIST) + "?q=conv_elsewhere").text.replace('value="conv_elsewhere"', "")


def test_a_page_shows_the_body_and_the_reason(on_duty):
    receive("post-call", b'{"type": "post_call_transcription", "event_timestamp": 1, "data": {}}')
    text = page(on_duty, WebhookDelivery.objects.get()).text
    assert "post_call_transcription" in text
    assert "Missing required field: data.conversation_id" in text


def test_hostile_text_is_shown_as_text(on_duty):
    evil = "<script>alert('x')</script>"
    deliver("transcription_docs_sample", evil)
    receive("post-call", evil.encode() + b"\xff\x00")
    for delivery in WebhookDelivery.objects.all():
        response = page(on_duty, delivery)
        assert response.status_code == 200
        assert "<script>alert" not in response.text
        assert "&lt;script&gt;alert" in response.text
    assert "<script>alert" not in on_duty.get(reverse(LIST)).text


def test_a_large_body_is_shown_in_part(on_duty):
    receive("post-call", b'{"type": "' + b"x" * 300_000 + b'"}')
    response = page(on_duty, WebhookDelivery.objects.get())
    assert "bytes in all" in response.text
    assert len(response.text) < 250_000


def test_nothing_is_added_changed_or_deleted_even_by_a_superuser(admin_client):
    deliver("transcription_docs_sample", "conv_1")
    delivery = WebhookDelivery.objects.get()
    assert admin_client.get(reverse("admin:webhooks_webhookdelivery_add")).status_code == 403
    change = reverse("admin:webhooks_webhookdelivery_change", args=[delivery.pk])
    assert admin_client.post(change, {"outcome": "applied"}).status_code == 403
    assert admin_client.post(reverse("admin:webhooks_webhookdelivery_delete", args=[delivery.pk])).status_code == 403
    admin_client.post(reverse(LIST), {"action": "delete_selected", "_selected_action": [delivery.pk], "post": "yes"})
    assert WebhookDelivery.objects.get().outcome == "unmatched"


def test_apply_again_applies_the_selected_and_says_how_many(on_duty, settings):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = False
    for conversation_id in ("conv_1", "conv_2", "conv_3"):
        deliver("transcription_docs_sample", conversation_id)
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    chosen = [d.pk for d in WebhookDelivery.objects.exclude(conversation_id="conv_3")]
    data = {"action": "apply_deliveries_again", "_selected_action": chosen}
    assert "Applied 2 of 2 deliveries." in on_duty.post(reverse(LIST), data, follow=True).text
    assert sorted(Call.objects.values_list("conversation_id", "status")) == [
        ("conv_1", "completed"),
        ("conv_2", "completed"),
    ]
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = False
    data["_selected_action"] = [d.pk for d in WebhookDelivery.objects.all()]
    assert "Applied 2 of 3 deliveries." in on_duty.post(reverse(LIST), data, follow=True).text


def test_apply_again_needs_the_permission_to_change(db):
    client = staff("view_webhookdelivery")
    deliver("transcription_docs_sample", "conv_1")
    Call.objects.bulk_create([Call(call_sid="EL_1", conversation_id="conv_1")])  # unseen by the signal
    data = {"action": "apply_deliveries_again", "_selected_action": [WebhookDelivery.objects.get().pk]}
    client.post(reverse(LIST), data)
    assert WebhookDelivery.objects.get().outcome == "unmatched"
