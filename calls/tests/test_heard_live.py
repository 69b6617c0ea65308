from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from calls.heard_live import heard_live
from calls.models import Call, CallTranscription
from calls.outcome import PostCallData

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(role, message, second=None):
    at = {} if second is None else {"created_at_unix_ms": int((NOON.timestamp() + second) * 1000)}
    return {"role": role, "message": message, **at}


def heard(live, final, *, late=()):
    """`live`: (speaker, text, seconds after noon at which it came); `late`: what came when the call had ended."""
    call = Call.register(call_sid="EL_1")
    for number, (speaker, text, second) in enumerate([*live, *late], start=1):
        CallTranscription.objects.create(
            call=call,
            sequence_number=number,
            speaker_type=speaker,
            message_text=text,
            timestamp=NOON,
            created_at=NOON + timedelta(seconds=second),
        )
    Call.objects.filter(pk=call.pk).update(last_sequence_number=len(live) + len(late))
    call.refresh_from_db()
    if final is not None:
        call.update_post_call_data(PostCallData(event_time=NOON, final_transcript=final))
        Call.objects.filter(pk=call.pk).update(final_sequence_number=len(live))
        call.refresh_from_db()
    return heard_live(call)


def test_nothing_is_said_of_a_call_without_a_final_transcript():
    assert heard([("agent", "Hello", 0)], None) is None


def test_each_sentence_is_heard_reworded_or_missed():
    live = [("agent", "Hello, this is dispatch", 2), ("driver", "I said something else", 3), ("agent", "Fine.", 9)]
    final = [
        entry("agent", "Hello, this is dispatch. Am I", 1),
        entry("user", "Yes, speaking.", 2),
        entry("agent", None, 3),
        entry("agent", "  ", 3),
        entry("agent", "fine", 4),
        entry("user", "Bye."),
    ]
    assert heard(live, final) == {
        "sentences": 4,
        "heard": 2,
        "reworded": 1,
        "missed": 1,
        "delay_median": 3.0,
        "delay_max": 5.0,
    }


def test_what_came_after_the_end_was_not_heard_live():
    found = heard([("agent", "a", 1)], [entry("agent", "a"), entry("user", "b")], late=[("driver", "b", 2)])
    assert (found["sentences"], found["heard"], found["missed"]) == (2, 1, 1)
    assert (found["delay_median"], found["delay_max"]) == (None, None)


@pytest.mark.parametrize("odd", [5, [], "x", {}, {"role": "robot", "message": "x"}, {"role": [], "message": "x"}])
def test_entries_of_another_shape_are_no_sentences(odd):
    assert heard([("agent", "a", 1)], [odd, entry("agent", "a", 1e30)])["sentences"] == 1


def test_a_long_transcript_that_differs_everywhere_is_compared_in_part():
    live = [("agent", f"{number} a", 0) for number in range(900)]
    assert heard(live, [entry("agent", f"b {number}") for number in range(900)])["reworded"] == 900
