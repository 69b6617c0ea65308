"""The inbox for the staff: found, read, applied again; nothing can be added, changed or deleted."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from calls.models import Call
from conftest import payload, staff
from webhooks import applying_again
from webhooks.inbox import receive
from webhooks.models import WebhookDelivery

LIST = "admin:webhooks_webhookdelivery_changelist"


@pytest.fixture
def on_duty(db):
    return staff("view_webhookdelivery", "apply_again_webhookdelivery")


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


@pytest.mark.parametrize("query", ["?outcome__exact=unmatched", "?q=conv_1", "?route__exact=post-call", "?o=2", "?o=3"])
def test_deliveries_are_found(on_duty, query):
    deliver("transcription_docs_sample", "conv_1")
    response = on_duty.get(reverse(LIST) + query)
    assert response.status_code == 200
    assert "conv_1" in response.text
    assert "conv_1" not in on_duty.get(reverse(LIST) + "?q=conv_elsewhere").text.replace('value="conv_elsewhere"', "")


@pytest.mark.parametrize(
    ("look_up", "typed", "found"),
    [
        *[("__gte", "2026-01-01", 1), ("__gte", "2026-01-01 00:30", 1), ("__gte", "2026-01-01T00:30:00.1", 0)],
        *[("__gte", "2025-12-31 23:30:00+00:00", 1), ("__lt", "2026-01-01T00:30", 0), ("__lt", "9999-12-31", 1)],
        *[("", "2026-01-01 00:30", 1), ("__exact", "2026-01-01 00:30:00", 1), ("__exact", "2026-01-01", 0)],
    ],
)
def test_a_time_in_the_address_of_the_list_needs_no_zone(on_duty, settings, look_up, typed, found):
    """Django warns of a time without one, and tests make errors of warnings."""
    settings.CALLS_TIME_ZONE = "Europe/Berlin"
    deliver("transcription_docs_sample", "conv_1")
    WebhookDelivery.objects.update(received_at=datetime(2025, 12, 31, 23, 30, tzinfo=UTC))
    answer = on_duty.get(reverse(LIST), {f"received_at{look_up}": typed})
    assert (answer.status_code, len(answer.context["cl"].result_list)) == (200, found)
    wrong = on_duty.get(reverse(LIST), {f"received_at{look_up}": "yesterday"})
    assert wrong.status_code == 302, "to the list without it"


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


def go_on(client, url, page):
    """Take the next step, as the page's form says."""
    form = page.text.partition('id="go-on"')[2].partition("</form>")[0]
    assert form, page.text
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        named = dict(re.findall(r'(name|value)="([^"]*)"', tag))
        if "name" in named:
            fields.setdefault(named["name"], []).append(named["value"])
    return client.post(url, fields, follow=True)


def confirmed(client, url, data):
    """The page of the first step, behind the one that asks."""
    asked = client.post(url, data)
    assert "Nothing has been done yet." in asked.text
    return go_on(client, url, asked)


def test_apply_again_applies_the_selected_and_says_how_many(on_duty, settings):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = False
    for conversation_id in ("conv_1", "conv_2", "conv_3"):
        deliver("transcription_docs_sample", conversation_id)
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    chosen = [d.pk for d in WebhookDelivery.objects.exclude(conversation_id="conv_3")]
    data = {"action": "apply_deliveries_again", "_selected_action": chosen}
    assert "Applied 2 of 2 deliveries." in confirmed(on_duty, reverse(LIST), data).text
    assert sorted(Call.objects.values_list("conversation_id", "status")) == [
        ("conv_1", "completed"),
        ("conv_2", "completed"),
    ]
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = False
    data["_selected_action"] = [d.pk for d in WebhookDelivery.objects.all()]
    assert "Applied 2 of 3 deliveries." in confirmed(on_duty, reverse(LIST), data).text


@pytest.fixture
def seven(settings):
    """Deliveries that wait for calls, which now may be created."""
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = False
    for n in range(7):
        deliver("transcription_docs_sample", f"conv_{n}")
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True


ALL = {"action": "apply_deliveries_again", "select_across": "1", "_selected_action": ["1"]}


@pytest.mark.parametrize("query", ["", "?outcome__exact=unmatched"])
def test_many_are_applied_again_in_steps_that_show_how_far_it_is(on_duty, seven, monkeypatch, query):
    monkeypatch.setattr(applying_again, "STEP", 3)
    url = reverse(LIST) + query
    page = confirmed(on_duty, url, ALL)
    assert "3 of 7 deliveries taken, 3 applied" in page.text
    assert Call.objects.count() == 3
    deliver("transcription_docs_sample", "conv_later")  # is not among the chosen
    WebhookDelivery.objects.filter(conversation_id="conv_later").update(outcome="unmatched")
    page = go_on(on_duty, url, page)
    assert "6 of 7 deliveries taken, 6 applied" in page.text
    page = go_on(on_duty, url, page)
    assert "Applied 7 of 7 deliveries." in page.text
    assert set(WebhookDelivery.objects.values_list("outcome", "times_applied", "conversation_id")) == {
        ("unmatched", 1, "conv_later"),
        *(("applied", 1, f"conv_{n}") for n in range(7)),
    }


def test_those_that_were_ticked_are_applied_in_steps_too_and_no_other(on_duty, seven, monkeypatch):
    monkeypatch.setattr(applying_again, "STEP", 2)
    chosen = list(WebhookDelivery.objects.order_by("pk").values_list("pk", flat=True)[1:6])
    page = confirmed(on_duty, reverse(LIST), ALL | {"select_across": "0", "_selected_action": chosen})
    for text in ("4 of 5 deliveries taken", "Applied 5 of 5 deliveries."):
        page = go_on(on_duty, reverse(LIST), page)
        assert text in page.text
    applied = WebhookDelivery.objects.filter(outcome="applied").order_by("pk")
    assert list(applied.values_list("pk", flat=True)) == chosen


def test_a_step_that_takes_long_ends_early(on_duty, seven, monkeypatch):
    monkeypatch.setattr(applying_again, "STEP_SECONDS", 0)
    assert "1 of 7 deliveries taken" in confirmed(on_duty, reverse(LIST), ALL).text


def test_a_delivery_that_cannot_be_applied_now_holds_up_no_other(on_duty, seven, monkeypatch):
    bad = WebhookDelivery.objects.order_by("pk")[2].pk
    apply_again = applying_again.apply_again

    def locked(delivery):
        if delivery.pk == bad:
            raise OperationalError("lock timeout")
        return apply_again(delivery)

    monkeypatch.setattr(applying_again, "apply_again", locked)
    assert "Applied 6 of 7 deliveries." in confirmed(on_duty, reverse(LIST), ALL).text


def test_apply_again_needs_its_own_permission(db):
    client = staff("view_webhookdelivery")
    deliver("transcription_docs_sample", "conv_1")
    Call.objects.bulk_create([Call(call_sid="EL_1", conversation_id="conv_1")])  # unseen by the signal
    data = {"action": "apply_deliveries_again", "_selected_action": [WebhookDelivery.objects.get().pk]}
    client.post(reverse(LIST), data)
    assert WebhookDelivery.objects.get().outcome == "unmatched"


def test_each_step_asks_for_the_permission_again(on_duty, seven, monkeypatch):
    monkeypatch.setattr(applying_again, "STEP", 3)
    page = confirmed(on_duty, reverse(LIST), ALL)
    user = get_user_model().objects.get()
    user.user_permissions.remove(Permission.objects.get(codename="apply_again_webhookdelivery"))
    go_on(on_duty, reverse(LIST), page)
    assert WebhookDelivery.objects.filter(outcome="applied").count() == 3


def test_a_step_needs_the_token_of_the_form(on_duty, seven):
    on_duty.handler.enforce_csrf_checks = True
    assert on_duty.post(reverse(LIST), ALL).status_code == 403
    assert not WebhookDelivery.objects.filter(outcome="applied").exists()


def test_a_calls_page_lists_its_webhooks_with_their_reasons_for_those_who_may_see_them(db):
    call = Call.register(call_sid="EL_1", conversation_id="conv_1")
    deliver("transcription_docs_sample", "conv_1")
    failed = WebhookDelivery.objects.get()
    failed.outcome, failed.error = "failed", "Traceback …\nOSError: 401 with {'token': 'T0P'}"
    failed.save()
    address = reverse("admin:calls_call_change", args=[call.pk])
    text = staff("view_call", "view_webhookdelivery").get(address).text
    assert reverse("admin:webhooks_webhookdelivery_change", args=[failed.pk]) in text
    assert "OSError: 401" in text
    assert "T0P" not in text
    assert f"?call__id__exact={call.pk}" in text
    get_user_model().objects.all().delete()
    assert "/webhookdelivery/" not in staff("view_call").get(address).text
