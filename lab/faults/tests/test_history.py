"""The checker finds each kind of broken history, and nothing in a whole one."""

from __future__ import annotations

import dataclasses

import pytest

from lab.faults import history
from lab.faults.history import Attempt, Heard, Stored
from lab.faults.journal import Journal

TURNS = 5


def sent(number: int, status: int = 201, at: float = 0.0) -> Attempt:
    return Attempt("EL_1", "turn", f"t{number}", at, at + 0.01, status, number if status else None)


END = Attempt("EL_1", "end", "digest", 1.0, 1.01, 200)
STORED = Stored("EL_1", "completed", TURNS, TURNS, [(n, f"t{n}") for n in range(1, TURNS + 1)], ["digest"])
SENT = [sent(n) for n in range(1, TURNS + 1)] + [END]
CONFIRMED = Heard("s", "EL_1", "confirmed", 0.0, 0)
TURN = [Heard("s", "EL_1", "turn", 0.1, n) for n in range(1, TURNS + 1)]
PAIR = [Heard("s", "EL_1", "call_status", 1.1), Heard("s", "EL_1", "call_completed", 1.1)]
WHOLE = [CONFIRMED, *TURN, *PAIR]


def kinds(findings: list[history.Finding]) -> list[str]:
    return [finding.kind for finding in findings]


def test_a_whole_history_has_no_findings():
    assert history.acknowledged_but_missing(SENT, [STORED]) == []
    assert history.stored_twice([STORED]) == []
    assert history.not_one_to_n([STORED]) == []
    assert history.heard_in_full(WHOLE, [STORED]) == history.Hearing(TURNS + 1, TURNS + 1, [])
    assert history.late(history.delays(SENT, WHOLE), 3) == []


@pytest.mark.parametrize(
    "stored",
    [
        [],
        [dataclasses.replace(STORED, turns=STORED.turns[:-1])],
        [dataclasses.replace(STORED, turns=[(n % TURNS + 1, key) for n, key in STORED.turns])],
        [dataclasses.replace(STORED, deliveries=[])],
        [dataclasses.replace(STORED, status="in_progress")],
    ],
    ids=["no call", "no turn", "under another number", "no delivery", "delivery without effect"],
)
def test_the_checker_finds_what_was_acknowledged_and_is_missing(stored):
    assert set(kinds(history.acknowledged_but_missing(SENT, stored))) == {"acknowledged but missing"}


def test_what_was_not_acknowledged_may_be_missing():
    assert history.acknowledged_but_missing([sent(9, 500), sent(9, 0)], [STORED]) == []


def test_the_checker_finds_what_is_stored_twice():
    twice = dataclasses.replace(STORED, last=6, turns=[*STORED.turns, (6, "t1")], deliveries=["digest", "digest"])
    assert kinds(history.stored_twice([twice])) == ["stored twice"] * 2


@pytest.mark.parametrize("numbers", [[1, 2, 4], [2, 3], [1, 1, 2], [2, 1]])
def test_the_checker_finds_gaps_in_the_numbers(numbers):
    gap = dataclasses.replace(STORED, last=len(numbers), turns=[(n, f"t{n}") for n in numbers])
    assert kinds(history.not_one_to_n([gap])) == ["turns are not 1..n"]


def test_the_checker_finds_a_call_that_counts_otherwise_than_its_turns():
    assert kinds(history.not_one_to_n([dataclasses.replace(STORED, last=6)])) == ["half-written"]


def test_the_checker_finds_other_answers_than_allowed():
    attempts = [sent(1, 201, at=1), sent(2, 503, at=2), sent(3, 0, at=3), sent(4, 500, at=4)]
    assert len(history.answered_otherwise(attempts, (200, 201))) == 3
    assert len(history.answered_otherwise(attempts, (200, 201, 500))) == 2
    assert len(history.answered_otherwise(attempts, (500,), during=[(0.5, 1.5)])) == 1


def test_the_checker_finds_slow_answers():
    slow = dataclasses.replace(sent(1), ended_at=2.5)
    assert kinds(history.answered_slowly([slow, sent(2)], 2)) == ["answered slowly"]
    assert history.answered_slowly([slow], 3) == []


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        ([CONFIRMED, *TURN[:2], *TURN[3:], *PAIR], "missing"),
        ([CONFIRMED, *TURN[:-1], *PAIR], "missing"),
        ([CONFIRMED], "missing"),
        ([CONFIRMED, *TURN[:3], *TURN[2:], *PAIR], "repeated"),
        ([CONFIRMED, *TURN[:2], TURN[3], TURN[2], TURN[4], *PAIR], "out of order"),
        ([CONFIRMED, *TURN], "completion pair"),
        ([CONFIRMED, *TURN, PAIR[0]], "completion pair"),
        ([CONFIRMED, *TURN, PAIR[1], PAIR[0]], "completion pair"),
        ([CONFIRMED, *TURN, *PAIR, *PAIR], "completion pair"),
        ([CONFIRMED, *TURN[:-1], *PAIR, TURN[-1]], "after the end"),
        ([CONFIRMED, *TURN, Heard("s", "EL_1", "turn", 1.0, 6), *PAIR], "not asked for"),
        ([CONFIRMED, Heard("s", "EL_1", "reset", 0.0), *TURN, *PAIR], "reset"),
    ],
)
def test_the_checker_finds_what_a_subscriber_did_not_get_right(heard, kind):
    assert kind in kinds(history.heard_in_full(heard, [STORED]).findings)


def test_a_subscriber_that_came_later_gets_what_came_after_it():
    later = [Heard("s", "EL_1", "confirmed", 0.0, 3), *TURN[3:], *PAIR]
    assert history.heard_in_full(later, [STORED]) == history.Hearing(3, 3, [])


def test_a_subscriber_that_comes_back_goes_on_where_it_was():
    lost = Heard("s", "EL_1", "lost", 0.2)
    again = Heard("s", "EL_1", "confirmed", 0.3, 2)
    assert history.heard_in_full([CONFIRMED, *TURN[:2], lost, again, *TURN[2:], *PAIR], [STORED]).findings == []
    assert kinds(history.heard_in_full([CONFIRMED, *TURN[:2], lost, again, *TURN[3:], *PAIR], [STORED]).findings) == [
        "missing"
    ]


def test_a_call_that_goes_on_has_no_pair():
    going_on = dataclasses.replace(STORED, status="in_progress", final=None)
    assert history.heard_in_full([CONFIRMED, *TURN], [going_on]).findings == []
    assert kinds(history.heard_in_full(WHOLE, [going_on]).findings) == ["completion pair"]


def test_turns_after_the_end_are_nobodys():
    longer = dataclasses.replace(STORED, last=6, turns=[*STORED.turns, (6, "t6")])
    assert history.heard_in_full(WHOLE, [longer]).findings == []


def test_the_checker_finds_what_came_late_and_counts_from_the_first_answer():
    attempts = [sent(1, 0, at=0.0), sent(1, 201, at=1.0), sent(1, 200, at=5.0)]
    measured = history.delays(attempts, [Heard("s", "EL_1", "turn", 4.5, 1)])
    assert [round(seconds, 2) for seconds, _ in measured] == [3.49]
    assert kinds(history.late(measured, 3)) == ["late"]
    assert history.late(measured, 3.5) == []


def test_a_completion_is_late_too():
    heard = [dataclasses.replace(one, at=9.0) for one in PAIR]
    assert kinds(history.late(history.delays(SENT, heard), 3)) == ["late"]


def test_percentile():
    assert history.percentile([], 0.99) == 0
    assert history.percentile(range(1, 101), 0.5) == 51
    assert history.percentile([1, 2, 3], 0.99) == 3


def test_histories_are_read_from_files(tmp_path):
    for name, records in (("sent", SENT), ("heard", WHOLE), ("stored", [STORED])):
        with Journal(tmp_path / name) as journal:
            for record in records:
                journal.write(**dataclasses.asdict(record))
    assert history.attempts_in(tmp_path / "sent") == SENT
    assert history.heard_in(tmp_path / "heard") == WHOLE
    assert history.stored_in(tmp_path / "stored") == [STORED]
