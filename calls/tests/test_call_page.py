"""A call's page in the admin: how it ended, the record, what belongs to it; and what it costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from calls.bidi import CONTROLS
from calls.call_page.neighbours import LOOKED_AT
from calls.models import Call, CallRecording, CallTranscription
from calls.turns import record_turn
from conftest import payload
from lab.stack.webserver import CHECKOUT

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
LARGE = 2_000
QUERIES = 16


def entry(role, message, second=None, **more):
    return {"role": role, "message": message, **({} if second is None else {"time_in_call_secs": second}), **more}


def ended(final=None, *, n=0, live=(), status="completed", **fields):
    call = Call.register(call_sid=f"EL_{n}", **{"call_start_time": START} | fields, final_transcript=final)
    CallTranscription.objects.bulk_create(
        CallTranscription(
            call=call,
            sequence_number=number,
            speaker_type=speaker,
            message_text=text,
            timestamp=START + timedelta(seconds=number),
        )
        for number, (speaker, text) in enumerate(live, start=1)
    )
    Call.objects.filter(pk=call.pk).update(
        status=status, last_sequence_number=len(live), final_sequence_number=len(live)
    )
    return call


def address(call, filters=""):
    return reverse("admin:calls_call_change", args=[call.pk]) + (f"?_changelist_filters={filters}" if filters else "")


@pytest.fixture
def page(admin_client):
    def text(call, filters="", client=admin_client):
        response = client.get(address(call, filters))
        assert response.status_code == 200
        return response.text

    return text


def plain(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def why(text):
    return plain(re.search(r'<p class="why".*?</p>', text)[0])


def rows(text):
    return [plain(row) for row in re.findall(r'<li class="turn.*?</li>', text, re.DOTALL)]


def staff(client, *codenames):
    user = get_user_model().objects.create_user("ada", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


# --- how it ended ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("failure_sip", "Busy. INVITE failed: sip status: 486: Busy here (SIP 486)."),
        ("failure_twilio", "Busy. The telephone provider says “busy” (SIP 487)."),
        ("failure_bare", None),
    ],
)
def test_a_failure_is_told_with_the_providers_words(page, sample, said):
    data = payload(sample)["data"]
    reason = data.get("failure_reason", "")
    call = ended(status="failed", failure_reason=reason, metadata_json=data.get("metadata"))
    assert why(page(call)) == (said or f"{reason.replace('-', ' ').capitalize()}.")


def judged(**results):
    return {
        "evaluation_criteria_results": {
            name: {"result": result, "rationale": f"Because of {name}."} for name, result in results.items()
        }
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"analysis_data": judged(a=5, time_agreed="failure")}, "Not met: Time agreed. Because of time_agreed."),
        ({"analysis_data": judged(a="failure", b="failure")}, "Not met: A, B."),
        ({"analysis_data": judged(**dict.fromkeys("abcde", "failure"))}, "Not met: A, B, C and 2 more."),
        ({"analysis_data": judged(a="success", b="success")}, "All 2 criteria met."),
        ({"analysis_data": judged(a="success", b=None)}, "1 of 2 criteria met, 1 unknown."),
        ({"call_successful": False}, "The goal was not reached."),
        ({"metadata_json": {"termination_reason": "Hung up"}}, "The analysis gives no verdict. Hung up."),
        ({"metadata_json": {"error": {"code": 7}}, "call_successful": True}, "The goal was reached. Error (7)"),
    ],
)  # fmt: skip
def test_a_completed_call_is_told_by_its_criteria(page, fields, said):
    assert why(page(ended(**fields))) == said


@pytest.mark.parametrize("odd", [5, "x", [], {"a": 1}, {"error": 5, "body": [], "termination_reason": {}}, None])
def test_metadata_and_analysis_of_another_shape_break_nothing(page, odd):
    analysis = {"evaluation_criteria_results": odd, "data_collection_results": {"a": odd, "b": {"value": odd}}}
    for n, (status, data) in enumerate([("failed", odd), ("completed", odd), ("completed", analysis)]):
        page(
            ended([odd, entry("user", odd), entry(odd, "x")], n=n, status=status, metadata_json=odd, analysis_data=data)
        )


# --- the record -----------------------------------------------------------------------------------------------


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
    for part in ("slot", "0.52 s", "&quot;gate&quot;: 3", "&quot;free&quot;: false", "https://x.example/?token=***"):
        assert part in row
    assert "T0P" not in text


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


# --- what belongs to it ---------------------------------------------------------------------------------------


def recorded(call):
    CallRecording.objects.create(call=call, file="a.mp3", size_bytes=1, sha256="0" * 64, event_time=timezone.now())


def test_the_recording_is_shown_to_those_who_may_hear_it(page, client):
    call = ended([entry("agent", "Hello", 0)])
    recorded(call)
    url = reverse("call-recording", args=[call.call_sid])
    assert url in page(call)
    text = page(call, client=staff(client, "view_call"))
    assert url not in text
    assert "<audio" not in text


def test_nothing_leads_to_what_the_reader_may_not_see(page, client):
    call = ended(live=[("agent", "Hello")])
    assert "/calltranscription/" in page(call)
    text = page(call, client=staff(client, "view_call"))
    assert "/calltranscription/" not in text
    assert "/webhookdelivery/" not in text


def test_the_raw_parts_are_json_without_secrets(admin_client, client):
    call = ended([entry("agent", "Grüße", 0, tool_calls=[{"params_as_json": '{"token": "T0P"}'}])])
    response = admin_client.get(reverse("admin:calls_call_raw", args=[call.pk, "transcript"]))
    assert response.json()[0]["tool_calls"] == [{"params_as_json": '{"token": "***"}'}]
    assert "Grüße" in response.text
    for pk, part in ((call.pk, "search_words"), (call.pk + 1, "transcript")):
        assert admin_client.get(reverse("admin:calls_call_raw", args=[pk, part])).status_code == 404
    other = staff(client, "view_calltranscription")
    assert other.get(reverse("admin:calls_call_raw", args=[call.pk, "transcript"])).status_code == 403


def test_the_drivers_other_calls_are_listed(page):
    calls = [ended(n=n, driver_id="DRV 1&2", failure_reason="no-answer", status="failed") for n in range(9)]
    text = page(calls[0]).partition("Other calls of this driver")[2]
    assert [call.pk for call in calls if f'href="{address(call)}"' in text] == [call.pk for call in calls[3:]]
    assert "driver_id__exact=DRV+1%262" in text
    assert "No answer" in text


def neighbours(text):
    return [re.search(rf'rel="{rel}" href="([^"]+)"', text) for rel in ("prev", "next")]


def test_the_neighbours_are_those_of_the_list_with_its_filter_and_order(page):
    calls = [ended(n=n, status="failed" if n % 2 else "completed") for n in range(6)]
    before, behind = neighbours(page(calls[3], "status__exact%3Dfailed"))
    assert before[1] == address(calls[5], "status__exact%3Dfailed")
    assert behind[1] == address(calls[1], "status__exact%3Dfailed")
    before, behind = neighbours(page(calls[0], "o%3D0"))
    assert before is None
    assert behind[1] == address(calls[1], "o%3D0")
    assert neighbours(page(calls[2], "status__exact%3Dfailed")) == [None, None]


@pytest.mark.parametrize("odd", ["final_transcript__icontains%3DS", "o%3Dx", "p%3D9", "status%3D%2500", "%26%26"])
def test_filters_that_the_list_does_not_take_cost_nothing_but_the_neighbours(page, odd):
    page(ended(), odd)


def test_a_call_beyond_the_first_of_a_long_list_has_no_neighbours(page, monkeypatch):
    monkeypatch.setattr("calls.call_page.neighbours.LOOKED_AT", 2)
    calls = [ended(n=n) for n in range(4)]
    assert LOOKED_AT > 2
    assert neighbours(page(calls[0])) == [None, None]


# --- what it costs --------------------------------------------------------------------------------------------


def large():
    """2,000 turns of some 130 letters, heard live and told afterwards, with a tool call every 50."""
    said = "The truck waits at gate three and the driver asks whether the slot at sixteen fifteen is still free, or not"
    final, live = [], []
    for number in range(LARGE):
        role = "user" if number % 2 else "agent"
        final.append(entry(role, f"{number} {said} {number % 7}", number * 3))
        live.append(("driver" if number % 2 else "agent", f"{number} {said} {number % 7}"))
    for number in range(0, LARGE, 50):
        final[number]["tool_calls"] = [{"request_id": f"r{number}", "tool_name": "slot", "params_as_json": '{"a": 1}'}]
        final[number + 1]["tool_results"] = [{"request_id": f"r{number}", "result_value": '{"b": 2}'}]
    return final, live


def test_a_long_call_costs_the_same_queries_and_stays_under_600_kilobytes(admin_client):
    final, live = large()
    short = ended(final[:2], n=1, live=live[:2], driver_id="D")
    long = ended(final, n=2, live=live, driver_id="D", analysis_data=judged(a="failure"))
    for call in (short, long):
        recorded(call)

    def measured(call):
        with CaptureQueriesContext(connection) as captured:
            response = admin_client.get(address(call, "status__exact%3Dcompleted"))
        assert response.status_code == 200
        return [query["sql"][:150] for query in captured], response

    measured(short)  # content types are cached from here on
    few, _ = measured(short)
    many, response = measured(long)
    assert len(many) == len(few), many
    assert len(many) <= QUERIES, many
    assert response.text.count('<li class="turn') == LARGE
    print(len(many), "queries,", len(response.content), "bytes")
    assert len(response.content) < 600_000
