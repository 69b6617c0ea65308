"""The live page in a real browser: what comes in through the webhooks is seen, whatever happens to the server."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import Page, expect

from calls.models import Call
from calls.registration import link_conversation
from calls.turns import record_turn
from callsite.tests.browser.conftest import aside
from conftest import payload

HOSTILE = '<img src=x onerror="alert(1)"></script><script>alert(2)</script> & <b>bold</b>'


@aside
def begin(number: int = 1, **fields: Any) -> Call:
    described = {"driver_id": f"DRV-{number}", "agent_name": "Nora", "direction": "outbound"}
    described |= {"to_number": f"+1415555{1000 + number}", "call_start_time": timezone.now()}
    return Call.register(call_sid=f"EL_{number}", conversation_id=f"conv_{number}", **described | fields)


@aside
def speak(call: Call, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        record_turn(call, speaker_type="agent" if number % 2 else "driver", message_text=f"turn {number}")


def outcome_of(call: Call, **analysis: Any) -> dict[str, Any]:
    body = payload("transcription_docs_sample", call.conversation_id)
    body["event_timestamp"] = int(time.time())
    body["data"]["analysis"] |= analysis
    return body


def numbers(page: Page) -> list[int]:
    """The turns that the open call shows, by their sequence numbers."""
    return [int(number) for number in page.eval_on_selector_all(".turn", "all => all.map(one => one.dataset.number)")]


def test_a_signed_out_visitor_signs_in_and_sees_the_page(desk_of, user):
    desk = desk_of()
    desk.page.goto(desk.url)
    expect(desk.page).to_have_url(re.compile(r"/login/\?next=/live/$"))
    desk.page.fill("#id_username", "ada")
    desk.page.fill("#id_password", "wrong")
    desk.page.click("main button")
    expect(desk.page.get_by_role("alert")).to_contain_text("do not match")
    desk.page.fill("#id_password", "ada")
    desk.page.click("main button")
    expect(desk.page.locator("#network-text")).to_have_text("Live")
    expect(desk.page.locator("#in-progress-empty")).to_contain_text("No calls in progress")
    desk.page.get_by_role("button", name="Sign out").click()
    expect(desk.page).to_have_url(re.compile(r"/login/$"))


def test_who_may_not_view_calls_is_told_so(desk_of, transactional_db):
    desk = desk_of(get_user_model().objects.create_user("bob"))
    response = desk.page.goto(desk.url + "/live/")
    assert response.status == 403
    expect(desk.page.get_by_role("heading")).to_have_text("You may not view calls")
    desk.complaints.remove("Failed to load resource: the server responded with a status of 403 (Forbidden)")


def test_a_call_appears_is_read_along_and_ends_with_its_result(desk, elevenlabs):
    page = desk.open()
    elevenlabs.init(caller_id="+14155550132", agent_id="Nora", called_number="+15550100001", call_sid="CA_1")
    row = page.locator("#in-progress .call")
    expect(row).to_contain_text("+1 415 555 0132")
    expect(row).to_contain_text("Nora")
    expect(page).to_have_title("(1) Live calls · callsite")
    row.click()
    for number, speaker in enumerate(("agent", "user", "agent"), start=1):
        elevenlabs.turn(call_sid="CA_1", speaker=speaker, message=f"spoken {number}")
        expect(page.locator(".turn").nth(number - 1)).to_contain_text(f"spoken {number}", timeout=2000)
    expect(row).to_contain_text("spoken 3")
    call = aside(link_conversation)(Call.objects.get(call_sid="CA_1"), "conv_1")
    criteria = {"slot": {"criteria_id": "slot", "result": "failure", "rationale": "No slot was found."}}
    elevenlabs.post_call(outcome_of(call, evaluation_criteria_results=criteria))
    result = page.get_by_role("region", name="Result of the call")
    for text in ("Successful", "opening hours", "296 credits", "0:22", "Slot", "Not met", "No slot was found."):
        expect(result).to_contain_text(text)
    expect(result.get_by_role("link")).to_have_count(0)
    expect(page.locator("#in-progress .call")).to_have_count(0)
    expect(page.locator("#ended .call")).to_contain_text("Successful")
    expect(page.locator("#announcer")).to_contain_text("has ended: Successful")


def test_a_failed_call_tells_why(desk, elevenlabs):
    call = begin()
    page = desk.open("/live/#EL_1")
    body = payload("failure_twilio", call.conversation_id)
    elevenlabs.post_call({**body, "event_timestamp": int(time.time())})
    reason = Call.objects.get().failure_reason
    assert reason
    expect(page.locator("#ended .call")).to_contain_text("Failed")
    expect(page.locator(".result .problem")).to_have_text(reason.replace("-", " "), ignore_case=True)


def test_the_staff_gets_to_the_record(desk_of, transactional_db, elevenlabs):
    elevenlabs.post_call(outcome_of(begin()))
    page = desk_of(get_user_model().objects.create_superuser("root")).open("/live/#conv_1")
    page.get_by_role("link", name="Open the record in the admin").click()
    expect(page).to_have_url(re.compile(rf"/admin/calls/call/{Call.objects.get().pk}/change/"))


def test_a_call_that_left_the_list_long_ago_opens_by_its_address(desk, elevenlabs):
    old = begin(1, agent_name="Old agent")
    speak(old, 3)
    elevenlabs.post_call(outcome_of(old) | {"event_timestamp": int(time.time()) - 600})
    for number in range(2, 55):
        begin(number, status="failed", final_sequence_number=0, call_end_time=timezone.now())
    page = desk.open("/live/#EL_1")
    expect(page.locator("#ended .call")).to_have_count(50)
    expect(page.locator(".result")).to_contain_text("Successful")
    expect(page.locator(".call-head")).to_contain_text("Old agent")
    assert numbers(page) == [1, 2, 3]


def test_hostile_text_stays_text(desk, elevenlabs):
    call = begin(driver_id=HOSTILE, agent_name=HOSTILE)
    elevenlabs.turn(call_sid=call.call_sid, speaker="user", message=HOSTILE)
    page = desk.open()
    page.locator("#in-progress a").click()
    for place in ("#in-progress .title", "#in-progress .said", ".call-head h2", ".turn > p[dir]"):
        expect(page.locator(place)).to_contain_text(HOSTILE)
    criteria = {HOSTILE: {"result": HOSTILE, "rationale": HOSTILE}}
    elevenlabs.post_call(outcome_of(call, transcript_summary=HOSTILE, evaluation_criteria_results=criteria))
    for place in (".summary", ".rationale", "#ended .said"):
        expect(page.locator(place)).to_contain_text(HOSTILE)
    assert page.locator("main :is(img, script, iframe)").count() == 0


def test_a_killed_server_costs_no_turn(desk, elevenlabs, server):
    call = begin()
    speak(call, 3)
    page = desk.open("/live/#EL_1")
    expect(page.locator(".turn")).to_have_count(3)
    server.kill()
    expect(page.locator("#banner")).to_contain_text("Connection lost")
    for number in range(4, 9):
        elevenlabs.turn(call_sid=call.call_sid, speaker="user", message=f"turn {number}")
    begin(2)
    server.start()
    expect(page.locator("#banner")).to_contain_text("Caught up: 5 missed turns, 1 new call.", timeout=40_000)
    expect(page.locator(".turn")).to_have_count(8, timeout=40_000)
    expect(page.locator(".mark")).to_have_text("Connection was lost here. 5 missed turns caught up.")
    elevenlabs.turn(call_sid=call.call_sid, speaker="agent", message="turn 9")
    expect(page.locator(".turn")).to_have_count(9)
    assert numbers(page) == list(range(1, 10))
    expect(page.locator("#network-text")).to_have_text("Live")
    expect(page.locator("#in-progress .call")).to_have_count(2)


def test_the_transcript_stays_at_the_bottom_unless_the_reader_scrolled_up(desk, elevenlabs):
    call = begin()
    speak(call, 40)
    page = desk.open("/live/#EL_1")
    expect(page.locator(".turn")).to_have_count(40)
    below = "one => one.scrollHeight - one.scrollTop - one.clientHeight"
    speak(call, 1, 41)
    expect(page.locator(".turn")).to_have_count(41)
    assert page.eval_on_selector(".turns-scroll", below) < 2
    page.eval_on_selector(".turns-scroll", "one => { one.scrollTop = 100 }")
    page.wait_for_timeout(100)
    speak(call, 3, 42)
    newer = page.get_by_role("button", name="3 new turns")
    expect(newer).to_be_visible()
    assert page.eval_on_selector(".turns-scroll", "one => one.scrollTop") == 100
    newer.click()
    expect(newer).to_be_hidden()
    assert page.eval_on_selector(".turns-scroll", below) < 2


def test_the_keyboard_does_everything(desk):
    for number in (1, 2, 3):
        begin(number, call_start_time=timezone.now() - timedelta(seconds=number))
    page = desk.open()
    expect(page.locator("#in-progress .call")).to_have_count(3)
    focused = page.locator("a:focus")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text("DRV-2")
    page.keyboard.press("ArrowUp")
    expect(focused).to_contain_text("DRV-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="DRV-1")).to_be_visible()
    expect(page.locator("a[aria-current]")).to_contain_text("DRV-1")
    page.reload()
    expect(page.get_by_role("heading", name="DRV-1")).to_be_visible()
    expect(page.locator("a[aria-current]")).to_contain_text("DRV-1")
    page.keyboard.press("Escape")
    expect(page.locator("#opened")).to_be_hidden()
    expect(focused).to_contain_text("DRV-1")
    page.keyboard.press("/")
    page.keyboard.type("drv-3")
    expect(page.locator("#in-progress .call:visible")).to_have_count(1)
    expect(page.locator("#in-progress-count")).to_have_text("1 of 3")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text("DRV-3")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.locator("#in-progress .call:visible")).to_have_count(3)


def test_with_200_calls_rows_stay_where_and_what_they_are(desk):
    calls = [begin(number) for number in range(1, 201)]
    page = desk.open()
    expect(page.locator("#in-progress .call")).to_have_count(200)
    page.evaluate("""() => {
        window.before = [...document.querySelectorAll("#in-progress .call")];
        window.moved = window.slowest = 0;
        const moves = new MutationObserver((records) => { window.moved += records.length; });
        moves.observe(document.querySelector("#in-progress"), { childList: true });
        const tasks = new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) window.slowest = Math.max(window.slowest, duration);
        });
        tasks.observe({ type: "longtask" });
    }""")
    for call in calls[:20]:
        speak(call, 2)
    expect(page.locator("#in-progress .call", has_text="turn 2")).to_have_count(20)
    page.wait_for_timeout(2000)
    same = "window.before.every((row, place) => row === document.querySelectorAll('#in-progress .call')[place])"
    assert page.evaluate(same)
    assert page.evaluate("window.moved") == 0
    assert page.evaluate("window.slowest") < 250, "milliseconds in which the page stood still"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_serious_fault(desk_of, user, elevenlabs, scheme, width):
    running = begin(1, call_start_time=timezone.now() - timedelta(seconds=100))
    speak(running, 5)
    begin(2, call_start_time=timezone.now() - timedelta(seconds=100))
    ended = begin(3)
    speak(ended, 4)
    criteria = {"slot": {"criteria_id": "slot", "result": "success", "rationale": "It was confirmed."}}
    elevenlabs.post_call(outcome_of(ended, evaluation_criteria_results=criteria))
    begin(4, status="failed", final_sequence_number=0, call_end_time=timezone.now(), failure_reason="No answer")
    still = {"reduced_motion": "reduce"}  # no transition is under way when it looks
    desk = desk_of(user, color_scheme=scheme, viewport={"width": width, "height": 844}, **still)
    faults = []
    for path, there in {"/live/": "#ended .call", "/live/#EL_1": ".turn", "/live/#EL_3": ".result"}.items():
        page = desk.open(path)
        page.wait_for_selector(there)
        desk.shoot(f"live-{scheme}-{width}{path.removeprefix('/live/').replace('#', '-')}")
        faults += serious(page)
        page.goto("about:blank")
    desk.context.clear_cookies()
    desk.page.goto(desk.url + "/login/")
    desk.shoot(f"login-{scheme}-{width}")
    assert faults + serious(desk.page) == []


COLOUR_RULES = ["color-contrast", "link-in-text-block"]


def serious(page: Page) -> list[Any]:
    """Return what axe finds. In the dark it looks at colours alone: nothing else differs from the light."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"):
        options["runOnly"] = COLOUR_RULES
    found = Axe().run(page, options=options).response["violations"]
    return [
        (fault["id"], node["html"], node["failureSummary"])
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
