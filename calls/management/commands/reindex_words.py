"""`manage.py reindex_words`: rewrite the search words of calls whose words an earlier release wrote.

The command may be stopped and started again, and may run beside the web processes and beside itself: it writes a few
calls per transaction, each under the lock of its row, and each written row records its new version.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Collection
from itertools import batched
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Max, Min

from calls.models import Call
from calls.search.unwritten import write_words
from calls.search.words import VERSION

AT_ONCE = 20  # calls that one transaction locks
WINDOW = 1_000  # range of keys that one query covers
PAUSE_SECONDS = 1.0  # before it tries locked calls again
REPORT_SECONDS = 10.0


class Command(BaseCommand):
    help = "Writes the words that search looks in, for calls stored by an earlier version. Run it after an update."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="every call, as after a change of REDACTED_NAMES")

    def handle(self, **options: Any) -> None:
        self.began = self.reported = time.monotonic()
        self.written = 0
        self.wanted = Call.objects.all() if options["all"] else Call.objects.filter(words_version__lt=VERSION)
        held = self._walk()
        while held:
            time.sleep(PAUSE_SECONDS)
            held -= self._write(held)
            held = set(self.wanted.filter(pk__in=held).values_list("pk", flat=True))
        self._say(f"The words of {self.written:,} calls are written")

    def _walk(self) -> set[int]:
        """Write the calls in the order of their keys; return the keys of calls that another transaction had locked."""
        ends = Call.objects.aggregate(first=Min("pk"), last=Max("pk"))
        held: set[int] = set()
        if ends["first"] is None:
            return held
        for start in range(ends["first"], ends["last"] + 1, WINDOW):
            window = self.wanted.filter(pk__gte=start, pk__lt=start + WINDOW).order_by("pk")
            for keys in batched(window.values_list("pk", flat=True), AT_ONCE):
                held |= set(keys) - self._write(keys)
                if time.monotonic() - self.reported > REPORT_SECONDS:
                    self.reported = time.monotonic()
                    share = (keys[-1] - ends["first"] + 1) / (ends["last"] - ends["first"] + 1)
                    self._say(f"{self.written:,} calls, {share:.0%} of the table")
        return held

    def _write(self, calls: Collection[int]) -> set[int]:
        """Write the words of these calls; return the keys of those that were not locked."""
        written = write_words(self.wanted.filter(pk__in=calls))
        self.written += len(written)
        return set(written)

    def _say(self, text: str) -> None:
        self.stdout.write(f"{text}, {time.monotonic() - self.began:.0f} s")
        self.stdout.flush()
