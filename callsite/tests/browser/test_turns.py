"""What is said is shown as it was said: long calls, any script, and characters that would turn the text round."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import expect

from calls.models import Call, CallTranscription
from calls.turns import record_turn
from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_live_page import begin, numbers, outcome_of, speak

HEBREW = "האם המשאית בשער 3?"
OVERRIDE, POP = "\u202e", "\u202c"


@aside
def talk_at_length(call: Call, count: int) -> None:
    start = timezone.now() - timedelta(seconds=4 * count)
    CallTranscription.objects.bulk_create(
        CallTranscription(
            call=call,
            sequence_number=number,
            speaker_type="agent" if number % 2 else "driver",
            message_text=f"turn {number} " + "The truck waits at gate three. " * (number % 5),
            timestamp=start + timedelta(seconds=4 * number),
        )
        for number in range(1, count + 1)
    )
    Call.objects.filter(pk=call.pk).update(last_sequence_number=count)


def test_a_call_of_2000_turns_opens_a_few_turns_at_a_time_at_its_end(desk):
    call = begin()
    talk_at_length(call, 2_000)
    page = desk.open()
    page.evaluate("""() => {
        window.most = window.longest = 0;
        new MutationObserver((records) => {
            let added = 0;
            for (const { addedNodes } of records) {
                for (const node of addedNodes) added += node.classList?.contains("turn") ?? 0;
            }
            window.most = Math.max(window.most, added);
        }).observe(document.querySelector("#opened"), { childList: true, subtree: true });
        new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
        }).observe({ type: "longtask" });
    }""")
    page.locator("#in-progress a").click()
    expect(page.locator(".turn")).to_have_count(2_000, timeout=30_000)
    assert numbers(page) == list(range(1, 2_001))
    expect(page.locator(".turn").last).to_be_in_viewport()
    assert 0 < page.evaluate("window.most") <= 100
    longest = page.evaluate("window.longest")
    print(f"longest task: {longest:.0f} ms")
    speak(call, 1, first=2_001)
    expect(page.locator(".turn")).to_have_count(2_001)
    expect(page.locator(".turn").last).to_be_in_viewport()


def test_a_long_outage_is_marked_where_it_began(desk, elevenlabs, server):
    call = begin()
    speak(call, 3)
    page = desk.open("/live/#EL_1")
    expect(page.locator(".turn")).to_have_count(3)
    server.kill()
    expect(page.locator("#banner")).to_be_visible()
    speak(call, 120, first=4)
    server.start()
    expect(page.locator(".mark")).to_have_text("Connection was lost here. 120 missed turns caught up.", timeout=40_000)
    expect(page.locator(".turn")).to_have_count(123)
    assert page.eval_on_selector(".mark", "mark => mark.nextElementSibling.dataset.number") == "4"


def test_each_text_has_its_own_direction(desk, elevenlabs):
    call = begin(driver_id="משאית 12", agent_name="نورة")
    elevenlabs.turn(call_sid=call.call_sid, speaker="user", message=HEBREW)
    elevenlabs.turn(call_sid=call.call_sid, speaker="agent", message="Gate 3, שער")
    page = desk.open("/live/#EL_1")
    expect(page.locator(".turn")).to_have_count(2)
    direction = "all => all.map((one) => getComputedStyle(one).direction)"
    assert page.eval_on_selector_all(".turn > p[dir]", direction) == ["rtl", "ltr"]
    for place in ("#in-progress .title", "#in-progress .agent", ".call-head h2"):
        assert page.eval_on_selector_all(place, direction) == ["rtl"], place
    elevenlabs.post_call(outcome_of(call, transcript_summary=HEBREW))
    expect(page.locator(".summary")).to_have_text(HEBREW)
    expect(page.locator("#ended .call")).to_have_count(1)
    assert page.eval_on_selector_all(".summary", direction) == ["rtl"]
    apart = "all => all.every((one) => getComputedStyle(one).unicodeBidi === 'isolate')"
    for place in (
        ".turn > p[dir]",
        "#ended .title",
        "#ended .line",
        ".call-head h2",
        ".call-head .meta bdi",
        ".result dd",
    ):
        assert page.locator(place).count() > 0, place
        assert page.eval_on_selector_all(place, apart), place


def test_a_character_that_would_turn_the_text_round_is_shown_and_not_obeyed(desk, elevenlabs):
    evil = f"the code is {OVERRIDE}live{POP} \u2067now"
    shown = "the code is U+202EliveU+202C U+2067now"
    call = begin(driver_id=evil, agent_name=evil)
    elevenlabs.turn(call_sid=call.call_sid, speaker="user", message=evil)
    page = desk.open("/live/#EL_1")
    places = ["#in-progress .title", "#in-progress .agent", "#in-progress .line", ".call-head h2", ".turn > p[dir]"]
    criteria = {evil: {"result": "success", "rationale": evil}}
    for place in places:
        expect(page.locator(place)).to_have_text(shown)
    expect(page.locator(".turn .control").first).to_have_attribute(
        "title", "Right-to-left override. It is shown here and not obeyed."
    )
    collected = {evil: {"value": evil}}
    elevenlabs.post_call(
        outcome_of(
            call,
            transcript_summary=evil,
            evaluation_criteria_results=criteria,
            data_collection_results=collected,
        )
    )
    for place in ("#ended .line", ".summary", ".rationale"):
        expect(page.locator(place)).to_have_text(shown)
    expect(page.locator(".criterion b")).to_have_text(f"T{shown[1:]}")
    left = page.locator("main").inner_text()
    assert not {*left} & {OVERRIDE, POP, "\u2067"}


def test_a_reader_who_scrolled_up_is_not_moved_by_a_long_call_that_goes_on(desk):
    call = begin()
    talk_at_length(call, 300)
    page = desk.open("/live/#EL_1")
    expect(page.locator(".turn")).to_have_count(300)
    page.eval_on_selector(".turns-scroll", "one => { one.scrollTop = 900 }")
    page.wait_for_timeout(100)
    aside(record_turn)(call, speaker_type="agent", message_text="one more")
    expect(page.get_by_role("button", name="1 new turn")).to_be_visible()
    assert page.eval_on_selector(".turns-scroll", "one => one.scrollTop") == 900
