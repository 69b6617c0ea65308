"""The conversation on a call's page: live turns and the transcript that came afterwards as one record."""

from __future__ import annotations

import re

import pytest

from calls.bidi import CONTROLS
from calls.tests.page_cases import ended, entry, judged, rows
from calls.turns import record_turn
from lab.stack.webserver import CHECKOUT

pytestmark = pytest.mark.django_db


def test_what_was_worded_otherwise_is_one_row_and_what_one_telling_has_is_marked(page):
    final = [entry("agent", "When?", 0), entry("user", "Sixteen fifteen", 5), entry("user", "Bye", 9)]
    live = [("agent", "When?"), ("driver", "sixty fifty"), ("agent", "Thanks")]
    found = rows(page(ended(final, live=live)))
    assert found == [
        "Agent 0:00 14:13:20 When?",
        "Driver 0:05 14:13:25 Worded otherwise heard live: sixty fifty → afterwards: Sixteen fifteen",
        "Agent 0:03 14:13:23 Heard only live Thanks",
        "Driver 0:09 14:13:29 Only afterwards Bye",
    ]


def test_a_sentence_that_one_telling_has_longer_shows_the_rest(page):
    final = [entry("agent", "Am I late", 0), entry("user", "No, you are not", 2)]
    first, second = rows(page(ended(final, live=[("agent", "Am I late or early"), ("driver", "No")])))
    assert first == "Agent 0:00 14:13:20 Cut short afterwards Am I late heard live: or early"
    assert second == "Driver 0:02 14:13:22 Heard in part No, afterwards: you are not"


@pytest.mark.parametrize("start", [253402300799, -62135596800, 10**15, True, "x", None])
def test_a_clock_beyond_the_calendar_breaks_nothing(page, start):
    final = [entry("agent", "Hello", 5), entry("user", "Hello", 10**6), entry("user", "Bye", 10**30)]
    text = page(ended(final, live=[("agent", "Hello")], metadata_json={"start_time_unix_secs": start}))
    assert len(rows(text)) == 3


def test_nothing_is_marked_where_there_is_nothing_to_compare(page):
    final = [entry("agent", "When?", 0), entry("user", "Now", 5)]
    assert rows(page(ended(final))) == ["Agent 0:00 14:13:20 When?", "Driver 0:05 14:13:25 Now"]
    assert rows(page(ended(None, n=1, live=[("driver", "Now")]))) == ["Driver 0:01 14:13:21 Now"]


def test_a_tool_call_stands_with_its_answer_folded_timed_and_without_secrets(page):
    asked = {"request_id": "r", "tool_name": "slot", "params_as_json": '{"gate": 3}'}
    asked["tool_details"] = {"method": "POST", "url": "https://x.example/?token=T0P", "headers": {"X-Key": "T0P"}}
    answered = {"request_id": "r", "tool_name": "slot", "result_value": '{"free": false}', "tool_latency_secs": 0.52}
    final = [entry("agent", None, 1, tool_calls=[asked]), entry("agent", None, 2, tool_results=[answered])]
    text = page(ended(final))
    (row,) = re.findall(r'<li class="turn.*?</li>', text, re.DOTALL)
    assert "<details" in row
    assert " open" not in row
    for part in ("slot", "0.52 s", '"gate": 3', '"free": false', "https://x.example/?token=***"):
        assert part in row
    assert "T0P" not in text


def test_the_answer_of_a_tool_brings_no_html_of_its_own(page):
    answered = {"request_id": "r", "tool_name": "slot", "result_value": '</pre><b title="x">&quot;\u202e'}
    text = page(ended([entry("agent", None, 2, tool_results=[answered])]))
    assert '&lt;/pre&gt;&lt;b title="x"&gt;&amp;quot;<bdi class="control"' in text


def test_interruptions_feedback_keypad_and_latency_are_shown(page):
    metrics = {"metrics": {"convai_llm_service_ttfb": {"elapsed_time": 0.256}}}
    final = [
        entry(
            "agent", "It is", 0, interrupted=True, original_message="It is taken.", conversation_turn_metrics=metrics
        ),
        entry("user", "", 2, source_medium="dtmf", feedback={"score": "dislike"}),
    ]
    first, second = rows(page(ended(final, live=[("agent", "It is taken.")])))
    assert first == "Agent 0:00 14:13:20 Interrupted LLM 0.26 s It is Not spoken: taken."
    assert second == "Driver 0:02 14:13:22 Keypad Disliked"


def test_what_came_after_the_end_says_so(page):
    call = ended(live=[("agent", "Hello")])
    record_turn(call, speaker_type="driver", message_text="late")
    assert "Came after the end" in rows(page(call))[1]


def test_times_are_in_the_zone_of_the_setting(page, settings):
    settings.CALLS_TIME_ZONE = "America/New_York"
    text = page(ended([entry("agent", "Hello", 0)]))
    assert rows(text) == ["Agent 0:00 10:13:20 Hello"]
    assert '<time datetime="2026-09-21T14:13:20Z">21 Sep 2026, 10:13:20</time>' in text
    assert "America/New_York" in text


def test_direction_controls_are_shown_and_not_obeyed(page):
    evil = f"the code is {''.join(CONTROLS)}live"
    fields = {"driver_id": evil, "agent_name": evil, "transcript_summary": evil, "failure_reason": evil}
    final = [entry("user", evil, 0, tool_calls=[{"tool_name": evil, "params_as_json": evil}])]
    text = page(ended(final, analysis_data=judged(**{evil: "failure"}), **fields)).partition("<main")[2]
    assert not {*text} & {*CONTROLS}
    assert text.count('title="Right-to-left override. It is shown here and not obeyed.">U+202E</bdi>') >= 6


def test_the_direction_controls_are_those_of_the_live_page():
    source = (CHECKOUT / "realtime/static/realtime/live/words.js").read_text()
    named = {chr(int(code, 16)): name for code, name in re.findall(r'"\\u([0-9a-f]{4})": "([^"]+)"', source)}
    assert named == CONTROLS
