"""What comes in any order, and any number of times, ends in one state."""

from __future__ import annotations

from itertools import permutations

import pytest

from calls.models import Call
from conftest import payload
from webhooks.models import WebhookDelivery

DEPENDS_ON_ARRIVAL = {
    *("id", "call_sid", "conversation_id", "created_at", "updated_at"),
    *("search_words", "words_upto", "words_behind"),  # the identifiers are among them, and turns until the end
    "final_sequence_number",  # whether the turn came before the end
}


def senders(inbox):
    """What ElevenLabs may send about one call, by name."""

    def transcription(later):
        def send(call):
            body = payload("transcription_twilio_inbound_as_captured", call.conversation_id)
            if later:
                body["event_timestamp"] += 60
                body["data"]["analysis"]["transcript_summary"] = "Refreshed."
            return inbox.post_call(body)

        return send

    def failure(call):
        body = payload("failure_twilio", call.conversation_id)
        return inbox.post_call(body | {"event_timestamp": 1762713900})

    def turn(call):
        return inbox.turn(call_sid=call.call_sid, speaker="agent", message="Hello", turn_id="t-1")

    return {
        "transcription": transcription(later=False),
        "later transcription": transcription(later=True),
        "failure": failure,
        "recording": lambda call: inbox.post_call(payload("audio_small_mp3", call.conversation_id)),
        "turn": turn,
    }


def state_of(call):
    call.refresh_from_db()
    fields = {f.name: getattr(call, f.name) for f in call._meta.concrete_fields if f.name not in DEPENDS_ON_ARRIVAL}
    recording = getattr(call, "recording", None)
    turns = list(call.transcriptions.values_list("sequence_number", "message_text", "speaker_type"))
    return fields | {"recording": recording and recording.sha256, "turns": turns}


def play(inbox, mark, order):
    call = Call.register(call_sid=f"EL_{mark}", conversation_id=f"conv_{mark}", driver_id="DRV_1")
    send, statuses = senders(inbox), []
    for name in order:
        assert send[name](call).status_code in (200, 201)
        call.refresh_from_db()
        statuses.append(call.status)
    return call, statuses


def test_every_order_ends_in_the_same_state(inbox):
    orders = list(permutations(senders(inbox)))
    wanted = state_of(play(inbox, "wanted", orders[0])[0])
    assert (wanted["status"], wanted["transcript_summary"]) == ("completed", "Refreshed.")
    for mark, order in enumerate(orders[1:]):
        call, statuses = play(inbox, mark, order)
        assert state_of(call) == wanted, order
        completed_at = statuses.index("completed")
        assert set(statuses[completed_at:]) == {"completed"}, f"a completed call went back: {order}"


def test_what_only_the_failure_tells_is_known_in_either_order(inbox):
    """A transcription of a call that ElevenLabs did not place names no numbers."""
    told = []
    for first, second in permutations(("failure_twilio", "transcription_docs_sample")):
        call = Call.register(call_sid=f"EL_{first}", conversation_id=f"conv_{first}", driver_id="DRV_1")
        for name in (first, second):
            assert inbox.post_call(payload(name, call.conversation_id)).status_code == 200
        told.append(state_of(call))
    assert told[0] == told[1]
    assert (told[0]["status"], told[0]["from_number"], told[0]["direction"]) == (
        "completed",
        "+11111111111",
        "outbound",
    )


@pytest.mark.parametrize("order", [("failure", "turn", "transcription"), ("transcription", "failure", "recording")])
def test_everything_several_times_over_ends_in_the_same_state(inbox, order):
    once = state_of(play(inbox, "once", order)[0])
    often, _ = play(inbox, "often", order * 3)
    assert state_of(often) == once
    assert WebhookDelivery.objects.filter(call=often, times_received=3).count() == sum(n != "turn" for n in order)


def test_a_failure_changes_nothing_of_a_completed_call(inbox, call):
    assert inbox.post_call(payload("transcription_sip_trunk", call.conversation_id)).status_code == 200
    before = state_of(call)
    failure = payload("failure_sip", call.conversation_id)
    for event_timestamp in (1, failure["event_timestamp"], 4_000_000_000):
        response = inbox.post_call(failure | {"event_timestamp": event_timestamp})
        assert (response.status_code, response.json()["call_status"]) == (200, "completed")
    assert state_of(call) == before


def test_a_conversation_that_failed_does_not_take_a_completed_call_back(inbox, call):
    assert inbox.post_call(payload("transcription_docs_sample", call.conversation_id)).status_code == 200
    failed = payload("transcription_status_failed", call.conversation_id)
    assert inbox.post_call(failed).json()["call_status"] == "completed"
    call.refresh_from_db()
    assert call.status == "completed"


def test_a_transcription_after_a_failure_completes_the_call_and_clears_its_reason(inbox, call):
    assert inbox.post_call(payload("failure_twilio", call.conversation_id)).json()["call_status"] == "failed"
    assert (
        inbox.post_call(payload("transcription_docs_sample", call.conversation_id)).json()["call_status"] == "completed"
    )
    call.refresh_from_db()
    assert (call.status, call.failure_reason, call.cost) == ("completed", "", 296)


def test_a_later_transcription_refreshes_and_an_older_one_changes_nothing(inbox, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    told = {}
    for shift, summary, wanted in ((0, "First.", "First."), (60, "Later.", "Later."), (30, "Older.", "Later.")):
        later = payload("transcription_docs_sample", call.conversation_id)
        later["event_timestamp"] = body["event_timestamp"] + shift
        later["data"]["analysis"]["transcript_summary"] = summary
        assert inbox.post_call(later).status_code == 200
        call.refresh_from_db()
        assert call.transcript_summary == wanted
        told[shift] = call.call_end_time
    assert told[30] == told[60] > told[0]


def test_a_failure_changes_nothing_of_a_conversation_that_failed(inbox, call):
    assert inbox.post_call(payload("transcription_status_failed", call.conversation_id)).status_code == 200
    before = state_of(call)
    failure = payload("failure_bare", call.conversation_id) | {"event_timestamp": 4_000_000_000}
    assert inbox.post_call(failure).json()["call_status"] == "failed"
    assert state_of(call) == before


def test_of_two_failures_the_newer_one_holds(inbox, call):
    for shift, reason, wanted in ((0, "busy", "busy"), (60, "no-answer", "no-answer"), (30, "unknown", "no-answer")):
        body = payload("failure_bare", call.conversation_id)
        body["event_timestamp"] += shift
        body["data"]["failure_reason"] = reason
        assert inbox.post_call(body).status_code == 200
        call.refresh_from_db()
        assert (call.status, call.failure_reason) == ("failed", wanted)
