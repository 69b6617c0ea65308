"""GET …/transcript/: live turns above `after`, and the final transcript once it is there."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.redaction import redacted
from calls.turns import record_turn
from conftest import payload


@pytest.fixture
def spoken(call):
    for n in range(1, 5):
        record_turn(call, speaker_type="agent" if n % 2 else "driver", message_text=f"Turn {n}")
    return call


def test_the_turns_come_in_order_with_their_frame(reader, spoken):
    transcript = reader.get(f"/api/calls/{spoken.call_sid}/transcript/").json()
    turns = transcript.pop("turns")
    assert transcript == {
        "call_sid": spoken.call_sid,
        "conversation_id": spoken.conversation_id,
        "status": "in_progress",
        "last_sequence_number": 4,
        "final_transcript": None,
        "heard_live": None,
    }
    assert [set(turn) for turn in turns] == [
        {"transcription_id", "sequence_number", "speaker_type", "message_text", "timestamp"}
    ] * 4
    assert [(turn["sequence_number"], turn["speaker_type"], turn["message_text"]) for turn in turns] == [
        *((1, "agent", "Turn 1"), (2, "driver", "Turn 2"), (3, "agent", "Turn 3"), (4, "driver", "Turn 4"))
    ]
    assert all(turn["timestamp"].endswith("Z") for turn in turns)


@pytest.mark.parametrize(("after", "wanted"), [(0, [1, 2, 3, 4]), (2, [3, 4]), (4, []), (2**31 - 1, [])])
def test_after_leaves_out_what_is_known(reader, spoken, after, wanted):
    transcript = reader.get(f"/api/calls/{spoken.conversation_id}/transcript/?after={after}").json()
    assert [turn["sequence_number"] for turn in transcript["turns"]] == wanted
    assert transcript["last_sequence_number"] == 4


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "99999999999999999999", "%00"])
def test_after_that_is_no_number_is_refused(reader, spoken, after):
    response = reader.get(f"/api/calls/{spoken.call_sid}/transcript/?after={after}")
    assert response.status_code == 400
    assert list(response.json()) == ["after"]


def test_the_final_transcript_stands_beside_the_turns_without_secrets_and_else_as_it_came(site, reader, spoken):
    body = payload("transcription_full_featured", spoken.conversation_id)
    assert site.post_call(body).status_code == 200
    transcript = reader.get(f"/api/calls/{spoken.call_sid}/transcript/").json()
    assert transcript["final_transcript"] == redacted(body["data"]["transcript"])
    assert (transcript["status"], len(transcript["turns"])) == ("completed", 4)


def test_a_long_transcript_costs_what_a_short_one_costs(reader, spoken):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            reader.get(f"/api/calls/{spoken.call_sid}/transcript/")
        return [query["sql"] for query in captured]

    queries()  # the user's permissions are cached from here on
    few = queries()
    for _ in range(20):
        record_turn(spoken, speaker_type="agent", message_text="x")
    many = queries()
    assert len(many) == len(few)
    # the agents that the user is limited to, the call, its turns, the access log
    many = [sql for sql in many if "SAVEPOINT" not in sql]
    assert len(many) == 4, many
