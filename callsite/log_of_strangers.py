"""Limit the lines that strangers can write into the log."""

from __future__ import annotations

import copy
import logging

PER_SECONDS = 60


class LinesOfStrangers(logging.Filter):
    """A filter that lets one line per minute through for each `django.security` logger, and counts the lines left out.

    Anybody can cause such lines without signing in, for example with a wrong Host header.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        name = record.name
        if not name.startswith("django.security"):
            return True
        if record.created - self._last.get(name, 0) < PER_SECONDS:
            self._left_out[name] = self._left_out.get(name, 0) + 1
            return False
        self._last[name] = record.created
        left_out = self._left_out.pop(name, 0)
        if not left_out:
            return True
        told = copy.copy(record)
        told.msg, told.args = f"{record.getMessage()} ({left_out} lines like this were left out)", ()
        return told
