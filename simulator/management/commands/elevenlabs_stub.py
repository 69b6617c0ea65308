"""`manage.py elevenlabs_stub`: a stub of ElevenLabs, to try callsite without an account and without ringing a phone."""

from __future__ import annotations

import re
import signal
import threading
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from simulator.call import AGENT_ID
from simulator.live import LIVE
from simulator.options import pace, whole_number
from simulator.server import Server, SimulationError
from simulator.stub.conversations import TELLINGS, Behaviour, in_thread
from simulator.stub.errors import FAULTS
from simulator.stub.server import Stub
from simulator.stub.workspace import KEY, PHONE_NUMBER_ID, Workspace

NUMBER = "+15550100003"  # nobody has it


def fault(text: str) -> tuple[str, str, int | None]:
    """Read PATH=FAULT or PATH=FAULTxTIMES: a part of a path, the fault there, and how often (None: always).

    Raises ArgumentTypeError.
    """
    match = re.fullmatch(r"([^=]+)=([a-z0-9-]+?)(?:x(\d{1,6}))?", text)
    if match is None or match[2] not in FAULTS:
        raise ArgumentTypeError(f"{text!r} is not PATH=FAULT, where FAULT is one of {', '.join(FAULTS)}")
    return match[1], match[2], int(match[3]) if match[3] else None


class Command(BaseCommand):
    help = (
        "Serves the endpoints of ElevenLabs' API that callsite uses, until Ctrl-C. Calls that callsite dials are "
        "pretended: they run the agent's tool and post their webhooks to --callsite, signed with this checkout's "
        "secrets. It prints what to put into .env."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=whole_number(0, 65_535), default=8788, help="[%(default)s]")
        parser.add_argument("--callsite", default="http://127.0.0.1:8000", help="who gets the webhooks [%(default)s]")
        parser.add_argument("--key", help="the API key that it wants [that of the settings, or an invented one]")
        parser.add_argument("--agent", help="the agent's ID [that of the settings, or the demo's]")
        parser.add_argument("--phone-number", help="the phone number's ID [likewise]")
        parser.add_argument("--pace", type=pace, default=1.0, help="seconds between sentences [%(default)s]")
        parser.add_argument("--outcome", choices=tuple(TELLINGS), default="once", help="of webhooks [%(default)s]")
        parser.add_argument("--live", choices=(*LIVE, "none"), default="history", help="of the tool [%(default)s]")
        parser.add_argument("--endless", action="store_true", help="conversations never end")
        parser.add_argument("--unanswered", action="store_true", help="nobody takes the calls")
        parser.add_argument("--overtakes", action="store_true", help="webhooks come before the dial is answered")
        parser.add_argument("--latency", type=pace, default=0.0, help="seconds before each answer [%(default)s]")
        parser.add_argument("--inbound", type=whole_number(0, 100), default=0, help="people who call the agent at once")
        parser.add_argument(
            "--fault",
            type=fault,
            action="append",
            default=[],
            metavar="PATH=FAULT[xTIMES]",
            help=f"go wrong at paths that contain PATH: {', '.join(FAULTS)}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: ended.set())
        try:
            server = Server.with_local_secrets(options["callsite"].rstrip("/"))
        except SimulationError as error:
            raise CommandError(str(error)) from None
        workspace = Workspace(
            server.url,
            key=options["key"] or settings.ELEVENLABS_API_KEY or KEY,
            agent_id=options["agent"] or settings.ELEVENLABS_AGENT_ID or AGENT_ID,
            phone_number_id=options["phone_number"] or settings.ELEVENLABS_PHONE_NUMBER_ID or PHONE_NUMBER_ID,
        )
        behaviour = Behaviour(
            pace_seconds=options["pace"],
            **{name: options[name] for name in ("outcome", "live", "endless", "overtakes", "unanswered")},
        )
        stub = Stub(server, workspace, behaviour, latency_seconds=options["latency"])
        for path, word, times in options["fault"]:
            stub.fail(path, word, times)
        try:
            url = stub.start(options["port"])
        except OSError as error:
            raise CommandError(f"Port {options['port']} cannot be used: {error.strerror}.") from None
        wanted = "\n".join(f"{name}={value}" for name, value in workspace.environment(url).items())
        dial = f".venv/bin/python manage.py dial {NUMBER} --driver me"
        told = f"ElevenLabs' stub answers at {url}. For callsite, in .env:\n\n{wanted}\n\nThen: {dial}\nCtrl-C ends it."
        self.stdout.write(told)
        self.stdout.flush()
        for _ in range(options["inbound"]):
            in_thread(stub.call_agent)  # type: ignore[arg-type]
        ended.wait()
        stub.close()
