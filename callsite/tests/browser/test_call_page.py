"""A call's page in the admin, in Chromium: the record, the player that is tied to it, and the keys."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from playwright.sync_api import expect

from calls.models import Call
from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_live_page import HOSTILE, begin, serious
from conftest import payload

START = 1_790_000_000
OVERRIDE = "\u202e"


def said(role, message, second, **more):
    return {"role": role, "message": message, "time_in_call_secs": second, **more}


TOOL = {
    "tool_calls": [
        {
            "type": "webhook",
            "request_id": "r1",
            "tool_name": "reserve_slot",
            "params_as_json": '{"gate": 3, "time": "16:15"}',
            "tool_details": {"method": "POST", "url": "https://dock.example/slots?token=T0PSECRET-9", "body": "{}"},
        }
    ],
}
ANSWER = {"request_id": "r1", "tool_name": "reserve_slot", "tool_latency_secs": 0.52, "is_error": True}
ANSWER |= {"result_value": '{"error": "The slot is taken", "next": "17:00"}', "error_type": "conflict"}
METRICS = {"metrics": {"convai_llm_service_ttfb": {"elapsed_time": 0.26}}}
STORY = [
    said("agent", "Hello, this is Nora from dispatch. When will you be at the warehouse?", 0),
    said("user", "At sixteen fifteen, if the traffic allows.", 6, feedback={"score": "like"}),
    said("agent", None, 11, **TOOL),
    said("agent", None, 12, tool_results=[ANSWER]),
    said("agent", "That slot is", 13, interrupted=True, original_message="That slot is taken, the next is at five."),
    said("user", "What do you mean? I was promised that slot.", 15),
    said("agent", "I am sorry. The next free slot is at five.", 48, conversation_turn_metrics=METRICS),
    said("user", f"האם המשאית בשער 3? {OVERRIDE}evil", 55),
    said("user", HOSTILE, 58),
    said("agent", "Thank you, goodbye.", 62),
]
LIVE = [
    ("agent", "Hello, this is Nora from dispatch. When will you be at the warehouse?"),
    ("user", "at sixty fifty if the traffic allows"),
    ("agent", "That slot is taken, the next is at five."),
    ("user", "What do you mean? I was promised that slot."),
    ("user", "Hello?"),
    ("agent", "I am sorry. The next free slot is at five."),
]
ANALYSIS = {
    "call_successful": "failure",
    "transcript_summary": "The driver wanted 16:15; the slot was taken. No new time was agreed.",
    "evaluation_criteria_results": {
        "time_agreed": {"result": "failure", "rationale": "The driver did not accept the new time."},
        "polite": {"result": "success", "rationale": "The agent stayed polite."},
    },
    "data_collection_results": {"wanted_time": {"value": "16:15", "rationale": "Said at 0:06."}},
}

WORD = "w" * 400
ONE_WORD = {
    "transcript_summary": WORD,
    "evaluation_criteria_results": {WORD: {"result": "failure", "rationale": WORD}},
    "data_collection_results": {WORD: {"value": {"a": WORD}, "rationale": WORD}},
}


def mp3(seconds):
    """Silence: the frames of the sample, again and again."""
    sample = base64.b64decode(payload("audio_small_mp3")["data"]["full_audio"])
    frames = sample[sample.index(b"\xff\xfb") :]
    return base64.b64encode(frames * round(seconds / 0.2612)).decode()


def told(elevenlabs, transcript=STORY, live=LIVE, *, seconds=70, **fields):
    """A call with all of it, as the webhooks tell it."""
    call = begin(1, driver_id="4711", agent_name="Nora", call_start_time=datetime.fromtimestamp(START, UTC), **fields)
    for number, (speaker, text) in enumerate(live):
        at = (datetime.fromtimestamp(START, UTC) + timedelta(seconds=10 * number)).isoformat()
        assert elevenlabs.turn(call_sid=call.call_sid, speaker=speaker, message=text, timestamp=at).status_code == 201
    body = payload("transcription_docs_sample", call.conversation_id)
    body["event_timestamp"] = int(time.time())
    body["data"] |= {"transcript": transcript, "analysis": ANALYSIS}
    body["data"]["metadata"] |= {"start_time_unix_secs": START, "call_duration_secs": 70, "cost_fiat": 0.0812}
    body["data"]["metadata"]["termination_reason"] = "Call ended by remote party"
    assert elevenlabs.post_call(body).status_code == 200
    audio = payload("audio_small_mp3", call.conversation_id)
    audio["data"]["full_audio"] = mp3(seconds)
    assert elevenlabs.post_call(audio).status_code == 200
    return Call.objects.get(pk=call.pk)


@aside
def staff(*codenames):
    user = get_user_model().objects.create_user("-".join(codenames)[:100] or "root", is_staff=True)
    user.is_superuser = not codenames
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def page_of(call, query=""):
    return reverse("admin:calls_call_change", args=[call.pk]) + query


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_no_serious_fault_and_nothing_is_wider_than_the_page(desk_of, elevenlabs, scheme, width):
    call = told(elevenlabs)
    begin(2, driver_id="4711", status="failed", final_sequence_number=0, failure_reason="no-answer")
    running = begin(3, driver_id="4711")
    desk = desk_of(staff(), color_scheme=scheme, viewport={"width": width, "height": 900})
    odd = begin(4, driver_id="=" * 250, status="completed", final_sequence_number=0, analysis_data=ONE_WORD)
    failed = Call.objects.get(call_sid="EL_2")
    for name, one in {"story": call, "running": running, "failed": failed, "odd": odd}.items():
        desk.page.goto(desk.url + page_of(one))
        expect(desk.page.locator("#zone")).not_to_have_text("")
        desk.shoot(f"call-{name}-{scheme}-{width}")
        desk.shoot(f"call-{name}-{scheme}-{width}-full", full_page=True)
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious(desk.page) == []


@pytest.fixture
def desk(desk_of, transactional_db):
    return desk_of(staff())


def opened(desk, call, query=""):
    desk.page.goto(desk.url + page_of(call, query))
    return desk.page


MOMENTS = [("#t48", "next free slot"), ("#t50", "next free slot"), ("#t3", "Hello")]
NOW = "document.getElementById('player').currentTime"


def wait_until(page, is_then):
    """The policy of the page forbids Playwright's own `wait_for_function`."""
    for _ in range(200):
        if is_then(now := page.evaluate(NOW)):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"the recording is at {now} s")


def test_a_click_on_a_turn_plays_from_there_and_the_turn_that_is_heard_is_lit(desk, elevenlabs):
    page = opened(desk, told(elevenlabs))
    lit = page.locator(".turn[aria-current]")
    page.get_by_text("What do you mean?").click()
    expect(lit).to_contain_text("What do you mean?")
    wait_until(page, lambda now: 15.1 < now < 25)
    page.evaluate(f"{NOW} = 47")
    expect(lit).to_contain_text("The next free slot is at five.")
    expect(lit).to_have_count(1)
    page.evaluate("document.getElementById('player').pause()")
    page.get_by_text("reserve_slot").click()
    expect(page.get_by_text("https://dock.example/slots?token=***")).to_be_visible()
    page.locator("a[href='#t58']").click()
    expect(lit).to_contain_text("<b>bold</b>")
    wait_until(page, lambda now: abs(now - 58) < 0.5)


@pytest.mark.parametrize(("fragment", "words"), MOMENTS)
def test_a_link_to_a_second_opens_there(desk, elevenlabs, fragment, words):
    page = opened(desk, told(elevenlabs), fragment)
    expect(page.locator(".turn[aria-current]")).to_contain_text(words)
    expect(page.locator(".turn[aria-current]")).to_be_in_viewport()
    assert abs(page.evaluate(NOW) - int(fragment[2:])) < 0.5


def test_j_and_k_go_through_the_calls_of_the_filter(desk):
    for number in (1, 2, 3):
        begin(number, driver_id=f"D{number}", direction="outbound" if number == 2 else "inbound")
    desk.page.goto(desk.url + reverse("admin:calls_call_changelist") + "?direction__exact=inbound")
    desk.page.get_by_role("link", name="EL_3").click()

    def is_shown(title):
        expect(desk.page.locator("h1")).to_have_text(title)
        desk.page.wait_for_load_state()  # the page's script has run

    is_shown("D3")
    desk.page.keyboard.press("j")
    is_shown("D1")
    desk.page.keyboard.press("j")
    desk.page.keyboard.press("k")
    is_shown("D3")


def test_times_are_in_the_readers_zone(desk_of, elevenlabs):
    call = told(elevenlabs)
    page = opened(desk_of(staff(), timezone_id="Asia/Kolkata"), call)
    expect(page.locator("#zone")).to_have_text("Asia/Calcutta")
    expect(page.locator("#t48 time")).to_have_text("19:44:08")
    expect(page.locator(".facts time")).to_have_text("21 Sep 2026, 19:43:20")
    without = opened(desk_of(staff("view_call"), java_script_enabled=False), call)
    assert without.locator("#t48 time").inner_text() == "14:14:08"
    assert without.locator("#zone").inner_text() == "UTC"
    assert without.locator(".why").inner_text().startswith("Not met: Time agreed.")


def test_a_running_call_leads_to_the_live_page(desk):
    page = opened(desk, begin(1))
    page.get_by_role("link", name="Watch live").click()
    expect(page.locator(".call-head h2")).to_have_text("DRV-1")


def test_hostile_text_stays_text(desk, elevenlabs):
    page = opened(desk, told(elevenlabs, agent_id=HOSTILE))
    expect(page.locator(".turn", has_text=HOSTILE)).to_have_count(1)
    assert page.locator("main :is(img, script, iframe)").count() == 0


def test_how_it_ended_and_what_it_was_stand_in_the_first_400_pixels(desk_of, elevenlabs):
    page = opened(desk_of(staff(), viewport={"width": 1400, "height": 900}), told(elevenlabs))
    for place in (
        ".why",
        ".record-head h1",
        ".record-head .badge",
        *(f".facts div:nth-child({n})" for n in range(1, 8)),
    ):
        box = page.locator(place).bounding_box()
        assert box["y"] + box["height"] <= 400, place


def test_the_live_page_plays_the_recording_to_those_who_may_hear_it(desk_of, elevenlabs):
    told(elevenlabs)
    page = desk_of(staff("view_call", "view_callrecording")).open("/live/#EL_1")
    player = page.locator(".result audio")
    expect(player).to_be_visible()
    page.get_by_text("What do you mean?").click()
    expect(page.locator(".turn[aria-current]")).to_contain_text("What do you mean?")
    for _ in range(200):
        if (now := player.evaluate("one => one.currentTime")) > 30.1:
            break
        page.wait_for_timeout(50)
    assert 30 < now < 40
    page = desk_of(staff("view_call")).open("/live/#EL_1")
    expect(page.locator(".result")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.locator("audio").count() == 0
