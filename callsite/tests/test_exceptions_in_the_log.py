"""What the log says of an exception: type, place and SQLSTATE, and nothing that quotes a value."""

from __future__ import annotations

import pytest
from django.db import DataError, IntegrityError, connection

from calls.models import Call
from callsite.logs import describe, traceback_of
from callsite.tests.conftest import error_of


def test_of_a_database_error_the_state_and_the_constraint_are_told_and_no_value(transactional_db, on_postgresql):
    Call.register(call_sid="Unspeakable")
    twice = error_of(lambda: Call.register(call_sid="Unspeakable"))
    assert isinstance(twice, IntegrityError)
    assert "Unspeakable" in str(twice), "so there is something to leave out"
    assert describe(twice) == {
        "error": "django.db.utils.IntegrityError",
        "sqlstate": "23505",
        "constraint": "calls_call_call_sid_key",
        "reason": 'duplicate key value violates unique constraint "calls_call_call_sid_key"',
    }
    no_number = error_of(lambda: connection.cursor().execute("SELECT %s::int", ["Unspeakable"]))
    assert isinstance(no_number, DataError)
    assert "Unspeakable" in str(no_number)
    assert describe(no_number) == {"error": "django.db.utils.DataError", "sqlstate": "22P02"}
    for error in (twice, no_number):
        assert "Unspeakable" not in traceback_of(error)
        assert error.__cause__ is not None
        assert "psycopg.errors" in traceback_of(error)


def test_an_exceptions_own_words_are_told_only_where_they_quote_nothing():
    assert describe(ValueError("Unspeakable")) == {"error": "ValueError"}
    assert describe(OSError(28, "No space left on device", "/media/Unspeakable"))["reason"] == "No space left on device"
    try:
        try:
            raise KeyError("Unspeakable")
        except KeyError as error:
            raise RuntimeError("Unspeakable") from error
    except RuntimeError as error:
        error.add_note("Unspeakable")
        text = traceback_of(error)
    assert text.count("Traceback") == 2
    assert text.index("KeyError") < text.index("RuntimeError")
    assert "Unspeakable" not in text


def test_a_deep_recursion_is_a_line_of_bearable_length():
    def deeper():
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    assert len(traceback_of(caught.value)) < 10_000
