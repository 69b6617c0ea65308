"""A call that nobody hears any more is ended over REST, and a later transcription still completes it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from calls.ending import HasEnded, end
from calls.models import Call
from conftest import payload

REASON = {"reason": "The line went dead."}


@pytest.fixture
def ender(api):
    return api("view_call", "end_call")


def path(call):
    return f"/api/calls/{call.call_sid}/end/"


async def test_listeners_hear_the_pair_and_a_later_transcription_completes_the_call(site, call, token, dispatcher):
    await dispatcher.user_permissions.aadd(await Permission.objects.aget(codename="end_call"))
    site.turn(call_sid=call.call_sid, speaker="agent", message="Hello?")
    async with site.socket(token) as socket:
        await socket.subscribe(call.call_sid)
        answer = site.api("POST", path(call), token, json=REASON)
        assert (answer.status_code, answer.json()["status"]) == (200, "failed")
        assert answer.json()["failure_reason"] == REASON["reason"]
        status, completed = await socket.take(2)
    assert (status["type"], status["status"]) == ("call_status", "failed")
    assert (completed["type"], completed["call_data"]["status"]) == ("call_completed", "failed")
    assert status["call_end_time"] == answer.json()["call_end_time"] is not None
    assert site.post_call(payload("transcription_docs_sample", call.conversation_id)).status_code == 200
    await call.arefresh_from_db()
    assert (call.status, call.failure_reason, call.final_sequence_number) == ("completed", "", 1)
    assert call.transcript_summary


def test_ending_a_call_needs_its_own_permission(api, call, site):
    for permissions in ((), ("view_call",), ("view_call", "add_call", "change_call", "delete_call")):
        assert api(*permissions).post(path(call), REASON, "json").status_code == 403
    assert site.client.post(path(call), json=REASON).status_code == 401
    assert Call.objects.get().status == "in_progress"
    answer = api("end_call").post(path(call), REASON, "json")
    assert answer.json() == {"call_sid": call.call_sid, "conversation_id": call.conversation_id}, "and may not view"


def test_a_call_that_is_not_in_progress_is_left_alone_and_the_answer_says_so(ender, call):
    assert ender.post(path(call), REASON, "json").status_code == 200
    again = ender.post(path(call), {"reason": "Another."}, "json")
    assert (again.status_code, again.json()) == (409, {"detail": "This call is not in progress: it is failed."})
    assert Call.objects.get().failure_reason == REASON["reason"]
    with pytest.raises(HasEnded):
        end(call, "Once more.")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": "a\x00b"}, "reason"),
        ({"reason": "x" * 1001}, "reason"),
        ({"reason": "x", "status": "completed"}, "status"),
        ([1], "non_field_errors"),
    ],
)
def test_bad_input_is_refused_with_the_field_and_ends_nothing(ender, call, body, field):
    answer = ender.post(path(call), body, "json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert Call.objects.get().status == "in_progress"


def test_every_name_of_a_call_works_and_an_unknown_one_does_not(ender, call):
    Call.register(call_sid="a/end", conversation_id="conv/b")
    assert ender.get("/api/calls/a/end/").json()["call_sid"] == "a/end"
    assert ender.post("/api/calls/conv/b/end/", REASON, "json").json()["call_sid"] == "a/end"
    assert ender.post("/api/calls/nobody/end/", REASON, "json").status_code == 404
    assert ender.get(path(call)).status_code == 405
    assert Call.objects.get(pk=call.pk).status == "in_progress"


def test_a_secret_in_the_reason_is_masked_where_it_is_shown(ender, call):
    answer = ender.post(path(call), {"reason": "The tool said Bearer Zm9vYmFy.c2VjcmV0.1234567890."}, "json")
    assert "c2VjcmV0" not in answer.text
