"""The promise, searched for a way to break it: `subscribe(after=k)` + messages = the API's transcript, once, in order.

The consumer, the hub and the database are the real ones. Between them stands the machine: it decides which message of
the layer arrives, twice, late or never, when each read of the database is made and when its answer is known, who reads
what was sent, how much time passes, and in which order all this happens. No thread and no real clock take part, so a
failure can be repeated.
"""

from __future__ import annotations

import contextlib
import uuid
from datetime import UTC, datetime

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from calls.models import Call
from calls.outcome import CallFailure, PostCallData
from calls.turns import record_turn
from lab.stack.depth import examples
from realtime.tests.promise import Browser, World

CALLS, BROWSERS = 2, 3
any_of_them = st.integers(0, 11)
calls = st.integers(0, CALLS - 1)
browsers = st.integers(0, BROWSERS - 1)


class Promise(RuleBasedStateMachine):
    world: World

    @initialize()
    def begin(self):
        self.world.begin()
        self.calls = [Call.register(call_sid=f"EL_{uuid.uuid4().hex[:12]}") for _ in range(CALLS)]
        self.browsers = [Browser(self.world) for _ in range(BROWSERS)]
        self.turn = 0
        for browser in self.browsers:
            browser.subscribe(self.calls[0], 0)
        self.world.settle()

    # --- what happens to calls ------------------------------------------------------------------------------

    @rule(call=calls, size=st.sampled_from([1, 1, 200]), heard=st.booleans())
    def say(self, call, size, heard):
        self.turn += 1
        record_turn(self.calls[call], speaker_type="agent", message_text=f"{self.turn} " * size)
        if heard and self.world.layer.wire:
            self.world.layer.deliver(-1, keep=False)
        self.world.run()

    @rule(call=calls, failed=st.booleans())
    def complete(self, call, failed):
        now = datetime.now(UTC)
        if failed:
            self.calls[call].record_failed(CallFailure(event_time=now))
        else:
            self.calls[call].update_post_call_data(PostCallData(event_time=now))
        self.world.run()

    # --- what happens to the layer's messages -----------------------------------------------------------------

    @precondition(lambda self: self.world.layer.wire)
    @rule(which=any_of_them, fate=st.sampled_from(["delivered", "repeated", "dropped"]))
    def one_message_of_the_layer_is(self, which, fate):
        if fate == "dropped":
            self.world.layer.wire.pop(which % len(self.world.layer.wire))
        else:
            self.world.layer.deliver(which, keep=fate == "repeated")
        self.world.run()

    @rule(away=st.booleans())
    def the_layer_goes_or_comes_back(self, away):
        self.world.layer.away = away

    @precondition(lambda self: self.turn % 5 == 4)
    @rule()
    def the_layer_forgets_who_is_there(self):
        self.world.layer.joined = False

    # --- what happens to reads --------------------------------------------------------------------------------

    @precondition(lambda self: self.world.reads.unread)
    @rule(which=any_of_them)
    def read(self, which):
        self.world.reads.perform(which)

    @precondition(lambda self: self.world.reads.unanswered)
    @rule(which=any_of_them)
    def answer(self, which):
        self.world.reads.answer(which)
        self.world.run()

    @precondition(lambda self: self.world.reads.unread)
    @rule(which=any_of_them)
    def the_database_fails(self, which):
        self.world.reads.fail(which)
        self.world.run()

    @rule()
    def all_reads_are_made_and_answered(self):
        self.world.settle()

    # --- what browsers do -------------------------------------------------------------------------------------

    @rule(browser=browsers, call=calls, after=st.sampled_from([None, None, 0, 0, 1, 2, 99, "resume", "resume"]))
    def subscribe(self, browser, call, after):
        self.browsers[browser].subscribe(self.calls[call], after)

    @rule(browser=browsers, call=calls)
    def unsubscribe(self, browser, call):
        self.browsers[browser].unsubscribe(self.calls[call])

    @rule(browser=browsers)
    def disconnect(self, browser):
        self.browsers[browser].disconnect()

    @rule(browser=browsers, reads=st.booleans())
    def stop_or_start_reading(self, browser, reads):
        self.browsers[browser].read(reads)

    # --- what must be true --------------------------------------------------------------------------------------

    @rule(steps=st.sampled_from([1, 2, 3]))
    def events_follow_close_upon_each_other(self, steps):
        """Until something settles them: what one began is not done when the next begins."""
        self.world.steps = steps

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.0, 2.0, 6.0, 20.0]))
    def time_passes(self, seconds):
        self.world.run(seconds)

    @rule()
    def all_is_well_for_three_seconds(self):
        """The layer is back and everybody reads: nothing may be missing now."""
        self.world.layer.away = False
        for browser in self.browsers:
            browser.read(True)
        self.world.settle(3.0)
        transcripts = {call.pk: self.transcript_of(call) for call in self.calls}
        for browser in self.browsers:
            browser.check_that_nothing_is_missing(transcripts)

    def transcript_of(self, call):
        """What the API has of it."""
        call.refresh_from_db()
        answer = self.world.client.get(f"/api/calls/{call.call_sid}/transcript/").json()
        return [(turn["sequence_number"], turn["message_text"]) for turn in answer["turns"]]

    def teardown(self):
        if self.world.begun:
            try:
                self.all_is_well_for_three_seconds()
            finally:
                self.world.end()


def search(world, **limits):
    """Raises what the machine found, made as short as it can be."""
    all_limits = {"max_examples": examples(50), "stateful_step_count": 50, "deadline": None, "database": None, **limits}
    all_limits["suppress_health_check"] = list(HealthCheck)
    run_state_machine_as_test(type("ThePromise", (Promise,), {"world": world}), settings=settings(**all_limits))


def test_a_subscriber_has_every_turn_in_order_once_and_then_the_pair_whatever_happens(world):
    """The same search each time. Where rules' preconditions moved under hypothesis, nothing was found: once more."""
    for _ in range(3):
        with contextlib.suppress(FlakyStrategyDefinition):
            search(world, derandomize=True)
            return
    raise AssertionError("the search never came to its end")
