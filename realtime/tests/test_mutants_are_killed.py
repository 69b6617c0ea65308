"""Each safeguard taken out makes a named test fail. A test that a mutant survives would guard nothing."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from django.db import IntegrityError
from hypothesis import Phase

from realtime.tests import mutants, test_promise
from realtime.tests import test_unreliable_layer as layer

FAILURES = (AssertionError, TimeoutError, IntegrityError)
KILLS = [
    (mutants.sweep, layer.test_turns_and_the_pair_that_the_layer_lost_are_found_in_the_database),
    (mutants.gap_fill, layer.test_a_turn_that_the_layer_lost_comes_with_the_next_one_at_the_latest),
    (mutants.gap_fill, layer.test_turns_that_the_layer_reorders_are_heard_in_order),
    (mutants.dedupe, layer.test_a_turn_that_the_layer_repeats_is_heard_once),
    (mutants.join_first, layer.test_a_turn_that_commits_while_the_layer_is_joined_is_not_missed),
    (mutants.heard_early, layer.test_a_turn_that_is_heard_before_its_listener_is_there_is_not_missed),
    (mutants.row_lock, layer.test_two_turns_at_once_get_two_numbers),
]
NAMES = [f"{mutant.__name__}-{test.__name__.removeprefix('test_')}" for mutant, test in KILLS]


@pytest.mark.parametrize(("mutant", "test"), KILLS, ids=NAMES)
def test_without_a_safeguard_a_test_fails(request, transactional_db, site, monkeypatch, mutant, test):
    arguments = {name: request.getfixturevalue(name) for name in inspect.signature(test).parameters}
    with monkeypatch.context() as patch:
        mutant(patch)
        with pytest.raises(FAILURES):
            asyncio.run(test(**arguments))


@pytest.mark.parametrize("mutant", [mutants.sweep, mutants.dedupe], ids=["sweep", "dedupe"])
def test_without_a_safeguard_the_search_finds_a_broken_promise(monkeypatch, world, mutant):
    """The others' loss is late with the sweep there, not broken."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        test_promise.search(
            world, phases=[Phase.generate], derandomize=True, max_examples=300, report_multiple_bugs=False
        )


def test_every_mutant_is_killed():
    made = {mutant for _, mutant in inspect.getmembers(mutants, inspect.isfunction)}
    assert made == {mutant for mutant, _ in KILLS}
