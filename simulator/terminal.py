"""Writes aligned lines to a terminal; where the output is a file, without colours and at full length."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from itertools import cycle
from typing import TYPE_CHECKING

from django.utils.termcolors import colorize

if TYPE_CHECKING:
    from django.core.management.base import OutputWrapper

CALL_COLOURS = ("cyan", "yellow", "magenta", "blue", "green")
FIRST_WORDS = ("registered", "subscribed")  # of a call, which then gets the next colour
WORD_COLOURS = {"completed": "green", "failed": "red", "error": "red"}


class Terminal:
    """Writes to a command's standard output. `coloured`: with colours, as the command's own style has them."""

    def __init__(self, out: OutputWrapper, coloured: bool) -> None:
        self.out = out
        self.coloured = coloured
        self._colours: dict[str, str] = {}
        self._next_colour = cycle(CALL_COLOURS)

    def event(self, who: str, word: str, text: str) -> None:
        """Write one line: the time, the call's name in its colour, a word for the event, and the text."""
        if who not in self._colours or word in FIRST_WORDS:
            self._colours[who] = next(self._next_colour)
        line = f"{datetime.now().astimezone():%H:%M:%S}  {who:<15}  {word:<10}  "
        text = "".join(c if c.isprintable() else " " for c in text)
        if self.out.isatty():
            room = max(20, shutil.get_terminal_size().columns - len(line) - 1)
            text = text if len(text) <= room else f"{text[: room - 1].rstrip()}…"
        if self.coloured:
            who, word = f"{who:<15}", f"{word:<10}"
            colour = WORD_COLOURS.get(word.strip())
            line = f"{line[:10]}{colorize(who, fg=self._colours[who.strip()])}  "
            line += f"{colorize(word, fg=colour, opts=('bold',)) if colour else word}  "
        self.out.write(line + text)

    def box(self, lines: Sequence[str]) -> None:
        width = max(map(len, lines))
        self.out.write(f"┌{'─' * (width + 4)}┐")
        for line in lines:
            shown = colorize(line, opts=("bold",)) if self.coloured and line.partition(" (")[0].isupper() else line
            self.out.write(f"│  {shown}{' ' * (width - len(line))}  │")
        self.out.write(f"└{'─' * (width + 4)}┘")
