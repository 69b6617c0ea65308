"""What was heard of a call that nobody listened to makes the state that was read before it old."""

from __future__ import annotations

import pytest

from realtime import heard
from realtime.heard import Heard

pytestmark = pytest.mark.quick


def test_what_is_heard_after_a_moment_is_known_and_what_was_heard_before_is_not():
    log = Heard()
    log.note(1)
    moment = log.moment()
    assert log.nothing_since(moment, 1)
    log.note(2)
    assert log.nothing_since(moment, 1)
    assert not log.nothing_since(moment, 2)
    assert log.nothing_since(log.moment(), 2)


def test_of_moments_that_are_forgotten_nothing_is_taken_for_current(monkeypatch):
    monkeypatch.setattr(heard, "REMEMBERED_CALLS", 2)
    log = Heard()
    moment = log.moment()
    for call_id in (1, 2, 3):
        log.note(call_id)
    assert not any(log.nothing_since(moment, call_id) for call_id in (1, 2, 3, 4))
    assert log.nothing_since(log.moment(), 4)
