"""`manage.py dial`: places a call from the terminal."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from upstream.client import Client
from upstream.dialing import PROVIDERS, MissingField, expect_may_go, new_order, place, register
from upstream.errors import NotConfigured
from upstream.phone_numbers import NotAllowed
from upstream.serializers import OWN_VARIABLE

UNKNOWN = 3


def variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals) or name == OWN_VARIABLE:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE with a name other than {OWN_VARIABLE}")
    return name, value


class Command(BaseCommand):
    help = (
        "Places one call through ElevenLabs. Exits with 0 if it was placed, 1 if it was refused, and "
        f"{UNKNOWN} if no answer came: then the call's webhooks or reconcile_calls will tell. Do not dial again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("to_number", help="E.164, as in +15550100003, or a number of DIAL_DEFAULT_REGION")
        parser.add_argument("--driver", required=True, help="driver ID of the call")
        parser.add_argument("--agent", default="", help="agent ID [ELEVENLABS_AGENT_ID]")
        parser.add_argument("--phone-number", default="", help="phone number ID [ELEVENLABS_PHONE_NUMBER_ID]")
        parser.add_argument("--provider", choices=PROVIDERS, default=PROVIDERS[0], help="[%(default)s]")
        parser.add_argument("--variable", type=variable, action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument("--prompt", default="", help="in place of the agent's own")
        parser.add_argument("--first-message", default="", help="likewise")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            order = new_order(
                driver_id=options["driver"],
                to_number=options["to_number"],
                agent_id=options["agent"],
                phone_number_id=options["phone_number"],
                provider=options["provider"],
                dynamic_variables=dict(options["variable"]),
                prompt=options["prompt"],
                first_message=options["first_message"],
            )
            expect_may_go(order)
            client = Client.from_settings()
        except MissingField as error:
            raise CommandError(f"{error.field}: {error}") from None
        except (NotAllowed, NotConfigured) as error:
            raise CommandError(str(error)) from None
        dialled = place(order, register(order), client)
        call = dialled.call
        if dialled.status == 201:
            self.stdout.write(f"Placed {call.call_sid}, conversation {call.conversation_id}.")
        elif dialled.status == 202:
            text = f"Whether {call.call_sid} was placed is unknown: {dialled.reason} Its webhooks will tell."
            raise CommandError(text, returncode=UNKNOWN)
        else:
            raise CommandError(f"Not placed, {call.call_sid} has failed: {dialled.reason}")
