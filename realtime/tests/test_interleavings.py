"""Moments in which one thing has begun and another comes in between, each set up step by step."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calls.models import Call
from calls.outcome import PostCallData
from calls.turns import record_turn
from realtime.tests.promise import Browser


@pytest.fixture
def still(world):
    world.begin()
    yield world
    world.end()


def transcript(call):
    call.refresh_from_db()
    return {
        call.pk: list(call.transcriptions.order_by("sequence_number").values_list("sequence_number", "message_text"))
    }


def test_a_sweep_that_finds_the_end_while_the_last_turn_is_being_served_overtakes_nobody(still):
    call = Call.register(call_sid="EL_1")
    browsers = [Browser(still) for _ in range(30)]
    for browser in browsers:
        browser.subscribe(call, 0)
    still.settle(1.0)
    record_turn(call, speaker_type="agent", message_text="bye")
    call.update_post_call_data(PostCallData(event_time=datetime.now(UTC)))
    still.run(2.0)  # the sweep asks where the call is
    still.reads.perform(0)
    still.steps = 2
    still.layer.deliver(0, keep=False)
    still.run()  # the turn has come to some
    assert 0 < sum(bool(browser.listening[call.pk].got) for browser in browsers) < 30
    still.reads.answer(0)
    still.run()  # the sweep hears that the call has ended and asks for what it missed: nothing
    still.reads.perform(0)
    still.reads.answer(0)
    still.run()
    assert sum(bool(browser.newest[call.pk]) for browser in browsers) < 30
    still.settle(3.0)
    for browser in browsers:
        browser.check_that_nothing_is_missing(transcript(call))


def test_a_turn_that_is_served_while_a_subscription_is_made_is_not_missed(still):
    """The state was read before the turn, and is known after it: the turn is above what is confirmed."""
    call = Call.register(call_sid="EL_1")
    first, second = Browser(still), Browser(still)
    first.subscribe(call, 0)
    still.settle()
    second.subscribe(call, None)
    still.reads.perform(0)
    record_turn(call, speaker_type="agent", message_text="meanwhile")
    still.layer.deliver(0, keep=False)
    still.run()
    still.reads.answer(0)
    still.settle()
    assert second.listening[call.pk].got == [(1, "meanwhile")]


def test_a_turn_of_a_call_that_nobody_listened_to_is_not_missed_while_a_subscription_is_made(still):
    """Its state was read before the turn, and its doorbell rang before anybody listened: the state is read again."""
    call = Call.register(call_sid="EL_1")
    browser = Browser(still)
    still.settle()
    browser.subscribe(call, 0)
    still.reads.perform(0)
    record_turn(call, speaker_type="agent", message_text="meanwhile")
    still.layer.deliver(0, keep=False)
    still.run()
    still.reads.answer(0)
    still.run()
    assert still.reads.unread, "the state that was found is taken for the present one"
    still.settle()
    assert browser.listening[call.pk].got == [(1, "meanwhile")]


def test_a_call_whose_state_is_current_is_read_once(still):
    call = Call.register(call_sid="EL_1")
    browser = Browser(still)
    still.settle()
    browser.subscribe(call, None)
    still.reads.perform(0)
    still.reads.answer(0)
    still.run()
    assert not still.reads.unread
    assert call.pk in browser.listening


def test_a_socket_that_lost_its_room_misses_nothing_when_it_reads_again(still):
    call = Call.register(call_sid="EL_1")
    browser = Browser(still)
    browser.subscribe(call, 0)
    still.settle()
    browser.read(False)
    for _ in range(5):
        record_turn(call, speaker_type="agent", message_text="words " * 50)
        still.layer.deliver(0, keep=False)
        still.run()
    browser.read(True)
    record_turn(call, speaker_type="agent", message_text="heard at once")
    still.layer.deliver(0, keep=False)
    still.settle()
    browser.check_that_nothing_is_missing(transcript(call))
