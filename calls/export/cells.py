"""Lines of CSV that a spreadsheet shows as they are, and never computes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

type Cell = str | int | Decimal | None

BOM = "\ufeff"  # Excel reads UTF-8 only behind it
# A formula begins with one of these signs, wide and small ones too, behind characters that nobody sees.
_UNSEEN = r"[\s\x00-\x1f\x7f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*"
_SIGN = r"[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
_FORMULA = re.compile(rf"{_UNSEEN}{_SIGN}|[\t\r\n]")
# Where a spreadsheet divides at semicolons or tabs, as it does in many countries, a cell may begin inside of ours.
_INNER = re.compile(rf"([;\t\r\n]{_UNSEEN}+)({_SIGN})?")  # takes a whole run of spaces, so time is linear


def defused(text: str) -> str:
    """The same with an apostrophe before what a spreadsheet would take for a formula."""
    shown = _INNER.sub(lambda found: f"{found[1]}'{found[2]}" if found[2] else found[1], text)
    return f"'{shown}" if _FORMULA.match(text) else shown


def lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Texts are quoted and defused. Numbers are numbers, also negative ones."""
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_STRINGS).writerows([_written(cell) for cell in row] for row in rows)
    return file.getvalue().encode("utf-8", "backslashreplace")  # a text can hold lone surrogates


def _written(cell: Cell) -> str | int | None:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return defused(cell) if isinstance(cell, str) else cell
