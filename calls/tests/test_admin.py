"""Calls, turns and recordings for the staff: found and read, and never edited."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from calls.bidi import CONTROLS
from calls.models import AccessLogEntry, Call, CallRecording, CallTranscription
from calls.turns import record_turn

EVIL = "<script>alert('x')</script>"
MODELS = ["call", "calltranscription", "callrecording"]


def full_call(n=0, **fields):
    """A call with a turn and a recording, its texts hostile."""
    fields = {"agent_name": EVIL, "transcript_summary": EVIL, "analysis_data": {EVIL: EVIL}} | fields
    call = Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}", driver_id=EVIL, **fields)
    record_turn(call, speaker_type="agent", message_text=EVIL)
    CallRecording.objects.create(
        call=call, file="a.mp3", size_bytes=1, sha256="0" * 64, event_time=timezone.now()
    )  # fmt: skip
    return call


def change_list(model):
    return reverse(f"admin:calls_{model}_changelist")


@pytest.mark.parametrize("model", MODELS)
def test_a_list_costs_the_same_with_one_row_and_with_thirty(admin_client, model):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(change_list(model)).status_code == 200
        return [query["sql"][:150] for query in captured]

    full_call()
    queries()  # content types are cached from here on
    few = queries()
    for n in range(1, 30):
        full_call(n)
    many = queries()
    assert len(many) == len(few), many


@pytest.mark.parametrize("model", MODELS)
def test_a_list_reads_no_transcripts(admin_client, model):
    full_call()
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(change_list(model))
    assert not [query["sql"] for query in captured if "final_transcript" in query["sql"]]


def test_a_calls_page_costs_the_same_for_a_long_call(admin_client):
    call = full_call()

    def queries():
        with CaptureQueriesContext(connection) as captured:
            page = admin_client.get(reverse("admin:calls_call_change", args=[call.pk]))
            assert page.status_code == 200
        return [query["sql"][:150] for query in captured]

    queries()  # content types are cached from here on
    few = queries()
    for _ in range(30):
        record_turn(call, speaker_type="agent", message_text="Hello")
    many = queries()
    assert len(many) == len(few), many


@pytest.mark.parametrize("model", MODELS)
def test_hostile_text_is_shown_as_text(admin_client, model):
    full_call(final_transcript=[{"message": EVIL}], metadata_json={"a": EVIL})
    rows = {"call": Call, "calltranscription": CallTranscription, "callrecording": CallRecording}[model].objects.all()
    pages = [change_list(model), *(reverse(f"admin:calls_{model}_change", args=[row.pk]) for row in rows)]
    for page in pages:
        response = admin_client.get(page)
        assert response.status_code == 200
        assert "<script>alert" not in response.text
    assert model == "callrecording" or "&lt;script&gt;alert" in response.text


@pytest.mark.parametrize("model", MODELS)
def test_history_is_not_edited_even_by_a_superuser(admin_client, model):
    call = full_call()
    row = {"call": call, "calltranscription": call.transcriptions.get(), "callrecording": call.recording}[model]
    assert admin_client.get(reverse(f"admin:calls_{model}_add")).status_code == 403
    assert admin_client.post(reverse(f"admin:calls_{model}_change", args=[row.pk]), {}).status_code == 403
    assert admin_client.post(reverse(f"admin:calls_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    admin_client.post(change_list(model), data)
    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("query", ["q=EL_1", "q=conv_1", "status__exact=completed", "direction__exact=inbound"])
def test_a_call_is_found(admin_client, query):
    full_call(1, direction="inbound")
    full_call(2)
    Call.objects.filter(call_sid="EL_1").update(status="completed", final_sequence_number=0)
    text = admin_client.get(change_list("call") + "?" + query).text
    assert ">EL_1<" in text
    assert ">EL_2<" not in text


def test_a_calls_page_leads_to_its_turns_and_recording(admin_client):
    call = full_call()
    text = admin_client.get(reverse("admin:calls_call_change", args=[call.pk])).text
    for url in (
        f"{change_list('calltranscription')}?call__id__exact={call.pk}",
        reverse("call-recording", args=[call.call_sid]),
    ):
        assert url in text
    turns = admin_client.get(f"{change_list('calltranscription')}?call__id__exact={call.pk}")
    assert turns.status_code == 200


UNINDEXED = {
    "calls_calltranscription": ["message_text", "speaker_type", "timestamp"],
    "calls_callrecording": ["size_bytes", "event_time", "created_at"],
    "calls_accesslogentry": ["detail", "address"],
    "webhooks_webhookdelivery": ["call_id", "call_sid"],
}


@pytest.mark.parametrize("model", UNINDEXED)
def test_no_list_sorts_a_whole_table_by_a_column_without_an_index(admin_client, model):
    for column in range(-1, 9):
        for sign in ("", "-"):
            with CaptureQueriesContext(connection) as captured:
                page = admin_client.get(f"{reverse(f'admin:{model}_changelist')}?o={sign}{column}")
                assert page.status_code == 200
            orders = [one["sql"].rsplit(" ORDER BY ", 1)[1] for one in captured if " ORDER BY " in one["sql"]]
            assert not [order for order in orders if any(f'"{name}"' in order for name in UNINDEXED[model])]


def test_a_page_is_shown_where_its_address_has_a_field_without_a_name(admin_client):
    call = full_call()
    assert admin_client.get(f"{reverse('admin:calls_call_change', args=[call.pk])}?_to_field=").status_code == 200


@pytest.mark.parametrize("model", ["calltranscription", "accesslogentry"])
def test_no_character_that_turns_text_round_is_obeyed(admin_client, model):
    call = Call.register(call_sid="EL_1", driver_id="DRV_1")
    turn = record_turn(call, speaker_type="driver", message_text="gate \u202e3 \u2066five")[0]
    names = {"user_name": "ada", "call_sid": "EL \u202e1", "conversation_id": "\u2066", "detail": "q=\u202e"}
    entry = AccessLogEntry.objects.create(kind="page", user_id=1, **names)
    row = {"calltranscription": turn, "accesslogentry": entry}[model]
    for address in (change_list(model), reverse(f"admin:calls_{model}_change", args=[row.pk])):
        text = admin_client.get(address).text
        assert "U+202E" in text
        assert "U+2066" in text
        assert not set(CONTROLS) & set(text)
