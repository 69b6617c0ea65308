"""`manage.py end_silent_calls`: end silent calls, so that none stays in progress for ever if its end is never told."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections

from calls.silence import end_silent_calls

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0  # how often it checks that the process that started it still lives
LONGEST_SECONDS = 86_400
LONGEST_HOURS = 1_000_000  # a century: of some numbers that mean never, the calendar has no day


class Command(BaseCommand):
    help = (
        "Ends calls in progress of which nothing was heard for CALLS_END_AFTER_SILENT_HOURS. They become failed, and "
        "their listeners hear of it; a later transcription still completes them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--every", type=int, metavar="SECONDS", help="go on, and do it again after so many seconds")
        parser.add_argument(
            "--parent", type=int, metavar="PID", help="with --every: end when the process that started this one is gone"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once and print the number of ended calls; with --every, run in rounds, also after a round that failed."""
        every: int | None = options["every"]
        if every is None:
            self.stdout.write(once())
            return
        if not 1 <= every <= LONGEST_SECONDS:
            raise CommandError(f"--every must be between 1 and {LONGEST_SECONDS} seconds.")
        # the first process of a container ignores SIGTERM unless it has a handler
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            while True:
                in_a_round()
                if not waited(every, options["parent"]):
                    return
        except KeyboardInterrupt:
            pass


def once() -> str:
    """End the silent calls once; return a line that says how many were ended."""
    hours: int = min(settings.CALLS_END_AFTER_SILENT_HOURS, LONGEST_HOURS)
    if not hours:
        return "CALLS_END_AFTER_SILENT_HOURS is 0, so no call is ended."
    return f"Ended {end_silent_calls(hours)} calls that were silent for {hours} hours."


def in_a_round() -> None:
    """Run one round; log an error instead of raising it, because the database may be away for a while."""
    close_old_connections()
    try:
        once()
    except Exception:
        logger.exception("A round over silent calls failed; the next one comes")
    finally:
        close_old_connections()


def waited(seconds: float, parent: int | None) -> bool:
    """Wait, and return True after `seconds`. If a parent is given, return False as soon as it is gone."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if parent is not None and os.getppid() != parent:
            return False
        time.sleep(min(left, LOOK_SECONDS))
    return True
