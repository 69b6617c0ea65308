"""The secrets of tool calls: stored as they came, and shown by no answer, frame or page."""

from __future__ import annotations

import asyncio
import json

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from calls.models import Call
from conftest import Socket, payload
from webhooks.models import WebhookDelivery

SECRET = "S3CRET-hunter2"
MASK = "***"
URL = f"https://crm:{SECRET}@crm.example/orders?api_key={SECRET}&order=42"
WEBHOOK = {
    "method": "POST",
    "url": URL.replace("/orders", f"/{SECRET}/orders"),
    "headers": {"Authorization": f"Bearer {SECRET}", "X-Custom": SECRET},
    "path_params": {"token": SECRET, "order": "42"},
    "query_params": {"api_key": SECRET, "order": "42"},
    "body": json.dumps({"password": SECRET, "order": "42"}),
}
DETAILS = [
    {"type": "webhook", **WEBHOOK},
    {"type": "client", "parameters": json.dumps({"accessToken": SECRET})},
    {"type": "mcp", "mcp_server_name": "CRM", "parameters": {"client-secret": SECRET, "q": "Müller"}},
    {"type": "api_integration_webhook", "credential_id": "cred_1", "webhook_details": WEBHOOK},
]
UPDATE = {"variable_name": "secret__crm", "old_value": None, "new_value": SECRET, "tool_name": "crm"}


def body_of(call):
    """A full post-call transcription with secrets wherever ElevenLabs may send them."""
    body = payload("transcription_full_featured", call.conversation_id)
    data = body["data"]
    data["transcript"][0]["tool_calls"] = [
        {"tool_name": "crm", "params_as_json": json.dumps({"token": SECRET}), "tool_details": details}
        for details in DETAILS
    ]
    result = {"result_value": json.dumps({"auth": {"token": SECRET}}), "dynamic_variable_updates": [UPDATE]}
    data["transcript"][1]["tool_results"] = [{**result, "raw_error_message": f"401 for {URL}", "is_error": True}]
    data["conversation_initiation_client_data"]["dynamic_variables"]["secret__crm"] = SECRET
    data["metadata"] |= {"request_headers": [{"name": "X-Custom", "value": SECRET}], "webhook_url": URL}
    data["analysis"]["data_collection_results"]["api_key"] = {"data_collection_id": "api_key", "value": SECRET}
    data["analysis"]["transcript_summary"] = f"They called {URL}."
    return body


@pytest.fixture
def told(site, call):
    """A call with a failed one beside it, both told of by webhooks with secrets."""
    body = body_of(call)
    assert site.post_call(body).status_code == 200
    failed = Call.register(call_sid=f"{call.call_sid}_failed", conversation_id=f"{call.conversation_id}_failed")
    failed_body = payload("failure_bare", failed.conversation_id)
    failed_body["data"] |= {"failure_reason": f"busy: {URL}", "metadata": {"type": "sip", "body": {"token": SECRET}}}
    assert site.post_call(failed_body).status_code == 200
    return call, failed, body


def as_admin():
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin-of-secrets", password="x"))
    return client


def test_the_api_shows_no_secret(site, told, token):
    call, failed, body = told
    for path in (
        "/api/calls/",
        *(f"/api/calls/{one.call_sid}/{more}" for one in told[:2] for more in ("", "transcript/")),
    ):
        answer = site.api("GET", path, token)
        assert answer.status_code == 200
        assert SECRET not in answer.text, path
    shown = site.api("GET", f"/api/calls/{call.call_sid}/transcript/", token).json()["final_transcript"]
    webhook, client, mcp, integration = (one["tool_details"] for one in shown[0]["tool_calls"])
    assert webhook == {
        "type": "webhook",
        "method": "POST",
        "url": "https://***@crm.example/***/orders?api_key=***&order=42",
        "headers": {"Authorization": MASK, "X-Custom": MASK},
        "path_params": {"token": MASK, "order": "42"},
        "query_params": {"api_key": MASK, "order": "42"},
        "body": json.dumps({"password": MASK, "order": "42"}),
    }
    assert integration["webhook_details"] == {name: webhook[name] for name in WEBHOOK}
    assert client == {"type": "client", "parameters": json.dumps({"accessToken": MASK})}
    assert mcp["parameters"] == {"client-secret": MASK, "q": "Müller"}
    assert [turn["message"] for turn in shown] == [turn["message"] for turn in body["data"]["transcript"]]
    failure = site.api("GET", f"/api/calls/{failed.call_sid}/", token).json()
    assert failure["failure_reason"].startswith("busy: https://***@crm.example/")
    call.refresh_from_db()
    assert call.final_transcript == body["data"]["transcript"], "stored data stays as it came"


def test_what_is_written_over_the_api_is_answered_without_secrets(site, told, dispatcher):
    from django.contrib.auth.models import Permission
    from rest_framework_simplejwt.tokens import AccessToken

    dispatcher.user_permissions.add(Permission.objects.get(codename="change_call"))
    token = str(AccessToken.for_user(dispatcher))
    answer = site.api("PATCH", f"/api/calls/{told[0].call_sid}/", token, json={"driver_id": "DRV_2"})
    assert (answer.status_code, answer.json()["driver_id"]) == (200, "DRV_2")
    assert SECRET not in answer.text


async def test_frames_have_no_secret(site, call, token):
    """Those to who listens, who asks later, and who watches the list."""
    list_url = site.ws_url.removesuffix("/transcriptions")
    async with site.socket(token) as socket, Socket.connect(list_url, token) as feed:
        await feed.next()
        await socket.subscribe(call.call_sid)
        assert (await asyncio.to_thread(site.post_call, body_of(call))).status_code == 200
        live = await socket.take(2)
        changed = await feed.next()
        await socket.subscribe(call.call_sid, after=0)
        later = await socket.take(2)
        await feed.send(snapshot=True)
        snapshot = await feed.next()
    assert [message["type"] for message in live] == ["call_status", "call_completed"]
    assert later == live
    assert (changed["call"]["status"], snapshot["type"]) == ("completed", "snapshot")
    assert SECRET not in json.dumps([*live, changed, snapshot])
    data = live[1]["call_data"]
    assert data["metadata"]["request_headers"] == [{"name": "X-Custom", "value": MASK}]
    assert data["analysis_data"]["data_collection_results"]["api_key"]["value"] == MASK
    assert data["transcript_summary"].startswith("They called https://***@crm.example/")


def test_the_pages_of_calls_and_deliveries_show_no_secret(told):
    client = as_admin()
    pages = [reverse("admin:calls_call_changelist"), reverse("admin:webhooks_webhookdelivery_changelist")]
    pages += [reverse("admin:calls_call_change", args=[call.pk]) for call in told[:2]]
    pages += [reverse("admin:webhooks_webhookdelivery_change", args=[d.pk]) for d in WebhookDelivery.objects.all()]
    assert len(pages) == 6
    for page in pages:
        response = client.get(page)
        assert response.status_code == 200
        assert SECRET not in response.text, page
    call_page, failed_page, *deliveries = (client.get(page).text for page in pages[2:])
    for text in (call_page, *deliveries):
        assert "https://***@crm.example/" in text
    assert "busy: https://***@crm.example/" in failed_page
    assert "&quot;secret__crm&quot;: &quot;***&quot;" in deliveries[1]


@pytest.mark.parametrize(
    "body", [b'{"token": "%s", "a": "%s" "b"', b'{"token": "%s", "token": 1, "headers": {"X": "%s"}}']
)
def test_the_page_of_a_delivery_that_is_no_json_shows_no_secret(site, transactional_db, body):
    assert site.post_call(body % (SECRET.encode(), f"https://x:{SECRET}@x.example".encode())).status_code == 400
    delivery = WebhookDelivery.objects.get()
    text = as_admin().get(reverse("admin:webhooks_webhookdelivery_change", args=[delivery.pk])).text
    assert "&quot;token&quot;: &quot;***&quot;" in text
    assert SECRET not in text


def test_error_and_answer_of_a_delivery_show_no_secret(site, transactional_db, settings):
    settings.ELEVENLABS_DYNAMIC_VARIABLES = {"secret__crm": SECRET, "city": "Bonn"}
    answer = site.init(caller_id="+1", agent_id="a", called_number="+2", call_sid="CA1", conversation_id="conv_1")
    assert answer.json()["dynamic_variables"]["secret__crm"] == SECRET, "the agent needs it"
    delivery = WebhookDelivery.objects.get()
    delivery.error = f"Traceback …\nOSError: 401 for {URL} with {{'token': '{SECRET}'}}"
    delivery.save()
    text = as_admin().get(reverse("admin:webhooks_webhookdelivery_change", args=[delivery.pk])).text
    assert SECRET not in text
    assert "Bonn" in text
    assert "OSError: 401 for https://***@crm.example/" in text


@pytest.mark.parametrize("sample", ["audio_small_mp3", "audio_docs_sample"])
def test_the_page_of_a_recording_tells_its_size_in_place_of_its_bytes(site, transactional_db, sample):
    body = payload(sample)
    audio = body["data"]["full_audio"]
    for raw in (json.dumps(body), json.dumps(body)[:-1], json.dumps(body).replace("full_audio", "full\\u005faudio")):
        assert site.post_call(raw.encode()).status_code in (400, 404)
    for delivery in WebhookDelivery.objects.all():
        text = as_admin().get(reverse("admin:webhooks_webhookdelivery_change", args=[delivery.pk])).text
        get_user_model().objects.all().delete()
        assert audio[:40] not in text
        assert f"({len(audio)} characters of base64)" in text


# --- nobody can guess them ------------------------------------------------------------------------------------


def test_search_finds_no_secret_letter_by_letter(site, told, token):
    def found(text):
        return [
            one["call_sid"] for one in site.api("GET", "/api/calls/", token, params={"search": text}).json()["results"]
        ]

    for guess in ("S3", "S3CRET", "hunter", SECRET, "authorization"):
        assert found(guess) == [], guess
    assert found("crm.example api_key") == [told[1].call_sid, told[0].call_sid], "but what is shown"


ORACLES = ["__icontains", "__contains", "__regex", "__0__tool_calls__icontains", "__has_key", "__isnull", ""]


@pytest.mark.parametrize("lookup", ORACLES)
def test_the_lists_of_the_admin_take_no_look_up_but_their_filters(told, lookup):
    client = as_admin()
    calls = [
        "final_transcript",
        "metadata_json",
        "analysis_data",
        "failure_reason",
        "transcript_summary",
        "search_words",
    ]
    others = ["call__final_transcript", "call__metadata_json"]
    asked = {
        "calls_call": [*calls, "webhook_deliveries__body", "transcriptions__message_text"],
        "calls_calltranscription": others,
        "calls_callrecording": others,
        "webhooks_webhookdelivery": ["body", "answer_body", "error", *others],
    }
    for model, fields in asked.items():
        for field in fields:
            response = client.get(reverse(f"admin:{model}_changelist"), {f"{field}{lookup}": "S"})
            assert response.status_code == 400, f"{model} {field}{lookup}"


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("calls_call", "status__exact=failed"),
        ("calls_call", "started_from=2020-01-01&started_to=2999-01-01&recording=yes&heard=not&silent=1"),
        ("calls_call", "call_successful__isnull=True&direction__exact=inbound"),
        ("calls_call", "conversation_id=conv_1&driver_id__exact=DRV_1&o=-2.1"),
        ("calls_calltranscription", "call__id__exact=1&speaker_type__exact=agent"),
        ("webhooks_webhookdelivery", "event_type=turn&outcome__exact=failed&route__exact=post-call"),
        ("webhooks_webhookdelivery", "call__id__exact=1&received_at__gte=2020-01-01+00:00:00%2B00:00"),
    ],
)
def test_the_lists_of_the_admin_take_their_own_filters_and_links(transactional_db, model, query):
    assert as_admin().get(f"{reverse(f'admin:{model}_changelist')}?{query}").status_code == 200
