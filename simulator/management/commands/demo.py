"""`manage.py demo`: runs callsite with simulated calls, in one command."""

from __future__ import annotations

import secrets
import signal
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from simulator.child import HOST, is_free, running
from simulator.logins import ADMIN, DISPATCHER, SUPERVISOR, demo_admin, demo_logins, token_of
from simulator.options import pace, whole_number
from simulator.server import Server, SimulationError, first_secret
from simulator.show import Show
from simulator.stub.conversations import Behaviour
from simulator.stub.server import Stub
from simulator.stub.workspace import Workspace
from simulator.terminal import Terminal

SECRETS = ("ELEVENLABS_WEBHOOK_SECRET", "ELEVENLABS_TOOL_SECRET")
MAY = {
    DISPATCHER: "may read calls: the live page, the API",
    SUPERVISOR: "may read calls, recordings and deliveries, in the admin too",
    ADMIN: "may do everything",
}


class Command(BaseCommand):
    help = (
        "Makes three users, starts a server of its own and a stub of ElevenLabs' API beside it, dials several calls at "
        "once through the server's own API until Ctrl-C, and prints what a subscriber hears of them: the stub runs the "
        "agent's tool and posts the signed webhooks. No phone rings. Only while DJANGO_DEBUG is on."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=whole_number(1, 65_535), default=8000, help="of the server [%(default)s]")
        parser.add_argument("--calls", type=whole_number(1, 50), default=5, help="calls at once [%(default)s]")
        parser.add_argument("--rounds", type=whole_number(1, 10_000), help="end after that many calls of each line")
        parser.add_argument("--pace", type=pace, default=1.0, help="seconds between turns [%(default)s]")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "The demo makes users and invents calls, so it runs only where DJANGO_DEBUG is on: in development."
            )
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)  # these signals end the demo as Ctrl-C does
        try:
            self.run_demo(options["port"], options["calls"], options["rounds"], options["pace"])
        except SimulationError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            pass

    def run_demo(self, port: int, calls: int, rounds: int | None, pace_seconds: float) -> None:
        if not is_free(port):
            raise SimulationError(
                f"Port {port} is taken, perhaps by another server of callsite. End that one, or choose another port: "
                f"make demo PORT={port % 65_535 + 1}"
            )
        self.stdout.write("callsite is starting …")
        try:
            call_command("migrate", verbosity=0)
            with demo_logins() as logins:
                self.show(port, logins, calls, rounds, pace_seconds)
        except Error as error:
            raise SimulationError(f"The database cannot be used: {error}") from None

    def show(self, port: int, logins: dict[str, str], calls: int, rounds: int | None, pace_seconds: float) -> None:
        # Where `.env` has no secrets, the demo makes secrets for itself and its server.
        env = {name: getattr(settings, name) or secrets.token_hex(32) for name in SECRETS}
        server = Server(f"http://{HOST}:{port}", *map(first_secret, env.values()))
        stub = Stub(server, Workspace(server.url), Behaviour(pace_seconds=pace_seconds, hangs_up=True))
        env |= stub.workspace.environment(stub.start())  # replaces a real key of `.env` too: no phone rings
        terminal = Terminal(self.stdout, coloured=self.style.SUCCESS("x") != "x")
        admin, dispatcher = demo_admin(), (DISPATCHER, logins[DISPATCHER])
        with closing(stub), running(server, port, env):
            terminal.box(programme(server.url, logins))
            self.stdout.write(f"What a subscriber of /ws/calls/transcriptions hears, signed in as {DISPATCHER}:\n\n")
            Show(server, stub, terminal, lambda: token_of(admin), dispatcher).run(calls, rounds)


def programme(url: str, logins: dict[str, str]) -> list[str]:
    """Return the lines that say which pages to open, and with which logins."""
    return [
        "OPEN",
        f"{url}/live/      the calls, as they happen",
        f"{url}/admin/     calls, turns, recordings, webhook deliveries",
        f"{url}/api/docs/  the REST API",
        "",
        "SIGN IN (while the demo runs; passwords are new each time)",
        *(f"{name:<17}{password}   {MAY[name]}" for name, password in logins.items()),
        "",
        "The calls are dialled through the API; a stub of ElevenLabs on this machine answers, and no phone rings.",
        "Ctrl-C ends the calls, the server and these logins. What was played stays in the database.",
    ]
