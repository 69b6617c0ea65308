"""`manage.py simulate_call`: plays realistic calls into a running server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from simulator.call import SCENARIOS, new_call
from simulator.live import LIVE
from simulator.logins import local_user, token_of
from simulator.options import pace, whole_number
from simulator.player import Player
from simulator.server import Server, SimulationError
from simulator.terminal import Terminal
from simulator.together import together

FAILURES = ("busy", "no-answer", "unknown")
INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Plays realistic calls into a running server through its webhooks, signed with this checkout's secrets. "
        "Calls are registered through the API with --token; without it, with a token of a local user who may add "
        "calls (it is good where DJANGO_SECRET_KEY and the database are the same). Where the API refuses, calls come "
        "in through the conversation-init webhook."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the server [%(default)s]")
        parser.add_argument("--calls", type=whole_number(1, 500), default=1, help="calls at once [%(default)s]")
        parser.add_argument("--turns", type=whole_number(1, 10_000), default=12, help="turns a call [%(default)s]")
        parser.add_argument("--pace", type=pace, default=1.0, help="seconds between turns [%(default)s]")
        parser.add_argument(
            "--live",
            choices=tuple(LIVE),
            default="history",
            help="history: the agent's tool sends the conversation so far when the driver has spoken; turns: a request "
            "for each sentence [%(default)s]",
        )
        parser.add_argument("--fail", action="store_true", help="the calls fail at initiation, each in its way")
        parser.add_argument("--token", default="", help="JWT access token of a user who may add calls")

    def handle(self, *args: Any, **options: Any) -> None:
        terminal = Terminal(self.stdout, coloured=self.style.SUCCESS("x") != "x")
        user = None if options["token"] else local_user()
        try:
            player = Player(
                Server.with_local_secrets(options["url"]),
                options["pace"],
                lambda: options["token"] or token_of(user),
                lambda call, word, text: terminal.event(call.driver_name, word, text),
            )
            played = tasks(player, options["calls"], options["turns"], options["fail"], options["live"])
            together(played, player.stop, lambda: self.stdout.write(""))
        except SimulationError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def tasks(player: Player, calls: int, turns: int, fail: bool, live: str) -> list[Callable[[], None]]:
    """Return one task per call, to run at the same time. Scenarios, or the reasons to fail, take turns."""
    if fail:
        reasons = islice(cycle(FAILURES), calls)
        return [partial(player.fail, new_call(SCENARIOS[0]), reason) for reason in reasons]
    scenarios = islice(cycle([scenario for scenario in SCENARIOS if scenario.can_last(turns)]), calls)
    called = [new_call(scenario) for scenario in scenarios]
    return [partial(player.play, call, call.scenario.lines(call.details, turns), live=live) for call in called]
