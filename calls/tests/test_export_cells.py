"""What a spreadsheet would compute comes as text; what is a number stays one."""

from __future__ import annotations

import csv
import io
import time
from decimal import Decimal

import pytest

from calls.export.cells import defused, lines

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+49301", "-2", "@SUM(A1)", "\tx", "\rx", "\nx", "=", "-"),
        *("  =1+1", "\u00a0=1", "\u3000＝1+1", "＋1", "－1", "＠SUM", "﹦1", "﹢1", "﹣1", "﹫x", "−1"),
        *("\ufeff=1", "\u200b=1", "\u202e=1", "\x00=1", "\x1f+1"),
    ],
)
def test_a_text_that_begins_a_formula_gets_an_apostrophe_in_front(text):
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "x", "a=b", "1-1", "me@here", " x", "'=1", "é=1", "a, =1", "*** =1", "a;b\nc"])
def test_other_texts_stay(text):
    assert defused(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x;=cmd|'/c calc'!A1;y", "x;'=cmd|'/c calc'!A1;y"),
        ("x\t+1", "x\t'+1"),
        ("x\r\n-1\n- 2", "x\r\n'-1\n'- 2"),
        ("x; \u3000＝1;;@", "x; \u3000'＝1;;'@"),
        ("=1;=2", "'=1;'=2"),
        (" \t @x", "' \t '@x"),
    ],
)
def test_neither_does_a_cell_begin_a_formula_where_semicolons_or_tabs_divide(text, shown):
    assert defused(text) == shown


def test_a_long_run_of_spaces_costs_no_more_than_its_length():
    began = time.process_time()
    defused("x" + "\n" * 1_000_000 + "x")
    assert time.process_time() - began < 5, "it was compared anew at each of its characters"


def test_numbers_are_numbers_and_texts_are_quoted():
    written = lines([["a", -2, Decimal("-0.50"), Decimal("1E+3"), None, "-2", 'say "x", y\r\nz']]).decode()
    assert written == '"a",-2,"-0.50","1000",,"\'-2","say ""x"", y\r\nz"\r\n'
    (row,) = csv.reader(io.StringIO(written, newline=""))
    assert row == ["a", "-2", "-0.50", "1000", "", "'-2", 'say "x", y\r\nz']


def test_what_no_utf_8_can_say_breaks_nothing():
    assert lines([["a\ud800"]]) == b'"a\\ud800"\r\n'
