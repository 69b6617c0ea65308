"""Indexes that are made while rows are written: again after an interruption, and without a time-out of the session."""

from __future__ import annotations

import psycopg
import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import IntegrityError, connection, models
from django.db.migrations.state import ProjectState

from calls.models import Call
from calls.postgres.online_index import AddIndexOnline

NAME = "call_online_test"
OPERATION = AddIndexOnline("call", models.Index(fields=["status"], name=NAME))


def sql(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def is_valid():
    return sql("SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = %s", NAME)


@pytest.fixture
def apply(transactional_db, only_postgresql):
    before = ProjectState()
    before.add_model(models_state())
    after = before.clone()
    OPERATION.state_forwards("calls", after)

    def run():
        with connection.schema_editor(atomic=False) as editor:
            OPERATION.database_forwards("calls", editor, before, after)

    yield run
    sql(f"DROP INDEX IF EXISTS {NAME}")


def models_state():
    from django.db.migrations.state import ModelState

    fields = [("id", models.BigAutoField(primary_key=True)), ("status", models.CharField(max_length=16))]
    return ModelState("calls", "Call", fields, {"db_table": "calls_call"})


def test_what_an_interruption_left_is_made_anew(apply):
    for number in range(2):
        Call.register(call_sid=f"EL_{number}")
    with pytest.raises(IntegrityError):
        sql(f"CREATE UNIQUE INDEX CONCURRENTLY {NAME} ON calls_call (status)")
    assert is_valid() == [(False,)]
    apply()
    assert is_valid() == [(True,)]
    apply()
    assert is_valid() == [(True,)], "it is there already"


def test_the_bounds_of_the_session_are_lifted_for_the_time_alone(apply):
    sql("SELECT set_config('statement_timeout', '1ms', false)")
    try:
        apply()
        assert sql("SHOW statement_timeout") == [("1ms",)]
    finally:
        sql("SELECT set_config('statement_timeout', '30s', false)")
    assert is_valid() == [(True,)]


def test_behind_a_pooler_the_session_is_everybodys_and_keeps_its_bounds(apply, monkeypatch):
    seen, forwards = [], AddIndexConcurrently.database_forwards

    def looked_at(operation, *arguments):
        seen.extend(sql("SHOW statement_timeout"))
        forwards(operation, *arguments)

    monkeypatch.setattr(AddIndexConcurrently, "database_forwards", looked_at)
    apply()
    sql(f"DROP INDEX {NAME}")
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 0)  # a pooler tells a process of its own
    apply()
    assert seen == [("0",), ("30s",)]


def test_a_live_turn_writes_no_index_of_calls(db, only_postgresql):
    """PostgreSQL leaves all indexes of a row alone, if none of their columns changes."""
    indexes = [definition for (definition,) in sql("SELECT indexdef FROM pg_indexes WHERE tablename = 'calls_call'")]
    assert len(indexes) > 10
    assert not [one for one in indexes if "last_sequence_number" in one or "updated_at" in one]
