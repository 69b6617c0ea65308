"""`manage.py reconcile_calls`: repairs what webhooks missed."""

from __future__ import annotations

import logging
import re
import signal
import threading
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, close_old_connections
from django.utils import timezone

from upstream.alone import Taken
from upstream.client import Client
from upstream.errors import NotConfigured
from upstream.models import ReconcileRound
from upstream.reconciling import reconcile

logger = logging.getLogger(__name__)
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """Read a time: ISO 8601, or an age such as 90m, 12h, 7d. Raises ArgumentTypeError."""
    if match := re.fullmatch(r"(\d{1,5})([mhd])", text):
        return timezone.now() - timedelta(**{UNITS[match[2]]: int(match[1])})
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is neither a time, as in 2026-11-26T08:00Z, nor as long as 12h or 7d"
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def seconds(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 86_400:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")


class Command(BaseCommand):
    help = (
        "Compares the conversations that ElevenLabs has with our calls: ends calls whose webhook never came, makes "
        "calls that are missing, fetches recordings, settles dials without an answer. May be run at any time, and "
        "again. Exits with 1 if it did not come to its end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=moment, help="list conversations from then on [where the last round ended]")
        parser.add_argument("--every", type=seconds, metavar="SECONDS", help="go on until it is stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        if options["every"] is None:
            self.stdout.write(self.round(options["since"], stop))
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        since: datetime | None = options["since"]
        while not stop.is_set():
            try:
                self.stdout.write(self.round(since, stop))
                since = None
            except CommandError as error:
                logger.warning("No round of reconciling: %s", error)
            except Exception:
                logger.exception("A round of reconciling failed; the next one comes")
            close_old_connections()
            stop.wait(options["every"])

    def round(self, since: datetime | None, stop: threading.Event) -> str:
        close_old_connections()
        try:
            done = reconcile(Client.from_settings(), since, stop)
        except (NotConfigured, Taken) as error:
            raise CommandError(str(error)) from None
        except Error as error:
            raise CommandError(f"The database failed: {type(error).__name__}.") from None
        counts = ", ".join(f"{ReconcileRound.label(name)} {getattr(done, name)}" for name in ReconcileRound.COUNTS)
        if done.error:
            raise CommandError(f"The round did not come to its end: {done.error} ({counts})")
        return f"Since {done.since:%Y-%m-%d %H:%M} UTC: {counts}."
