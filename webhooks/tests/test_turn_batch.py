"""The writer's own connection: what is cut is opened again, and nobody is told that a turn is stored when it is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from calls.postgres.turns import RECORD_TURNS

OWN = " ".join(RECORD_TURNS.split())[:60]


def own_connections():
    """The server's connections whose last statement stored turns through the writer, as (pid, state)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT pid, state, query FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        return [(pid, state) for pid, state, query in cursor.fetchall() if " ".join(query.split()).startswith(OWN)]


def cut(pid):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def say(site, call, message, **more):
    return site.turn(call_sid=call.call_sid, speaker="agent", message=message, **more)


def test_turns_go_through_one_connection(site, call):
    for n in range(5):
        assert say(site, call, f"Turn {n}").status_code == 201
    assert len(own_connections()) == 1


def test_a_connection_that_was_cut_while_nobody_spoke_costs_no_turn(site, call):
    assert say(site, call, "before").status_code == 201
    [(pid, _)] = own_connections()
    cut(pid)
    assert say(site, call, "afterwards").json()["sequence_number"] == 2
    [(other, _)] = own_connections()
    assert other != pid


def test_a_connection_that_is_cut_while_a_turn_is_stored_is_answered_500(site, call, transactional_db):
    assert say(site, call, "before").status_code == 201
    with ThreadPoolExecutor() as threads:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE calls_call IN SHARE MODE")  # whoever waits for a row alone is not in the batch
            waiting = threads.submit(say, site, call, "never")
            while not (waits := [pid for pid, state in own_connections() if state == "active"]):
                assert not waiting.done()
            cut(waits[0])
        assert waiting.result(10).status_code == 500
    assert list(call.transcriptions.values_list("message_text", flat=True)) == ["before"]
    assert say(site, call, "afterwards").json()["sequence_number"] == 2


@pytest.mark.parametrize("known", [False, True])
def test_one_turn_id_many_times_at_once_is_one_turn(site, call, known):
    if known:
        say(site, call, "Hello", turn_id="t-1")
    with ThreadPoolExecutor(12) as threads:
        others = [threads.submit(say, site, call, f"Turn {n}", turn_id=f"other-{n}") for n in range(6)]
        same = [threads.submit(say, site, call, "Hello", turn_id="t-1") for _ in range(6)]
    assert {future.result().status_code for future in others} == {201}
    answers = [future.result() for future in same]
    assert sorted(answer.status_code for answer in answers) == [200] * (5 + known) + [201] * (1 - known)
    assert len({answer.json()["transcription_id"] for answer in answers}) == 1
    assert sorted(call.transcriptions.values_list("sequence_number", flat=True)) == list(range(1, 8))


def test_a_bad_turn_fails_none_of_its_neighbours(site, call, monkeypatch):
    """What PostgreSQL refuses of a batch it refuses whole; then each is stored alone."""
    monkeypatch.setattr("webhooks.tool_payloads.SPEAKERS", {"agent": "agent", "user": "nobody the table knows"})
    with ThreadPoolExecutor(12) as threads:
        good = [threads.submit(say, site, call, f"Turn {n}") for n in range(8)]
        bad = [threads.submit(site.turn, call_sid=call.call_sid, speaker="user", message="no") for _ in range(3)]
    assert {future.result().status_code for future in good} == {201}
    assert {future.result().status_code for future in bad} == {500}
    assert sorted(call.transcriptions.values_list("sequence_number", flat=True)) == list(range(1, 9))
