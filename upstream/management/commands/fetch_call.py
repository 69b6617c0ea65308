"""`manage.py fetch_call`: reads conversations at ElevenLabs, and applies them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calls.models import Call
from upstream.client import Client
from upstream.errors import NotConfigured, UpstreamError
from upstream.fetching import NoConversation, StillRunning, fetch


class Command(BaseCommand):
    help = (
        "Reads conversations at ElevenLabs and applies them, with their recordings, as if their webhooks had come. "
        "Says what changed. Exits with 1 if one could not be fetched, for example as it still runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("identifier", nargs="+", help="call_sid, conversation_id or a former name of a call")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            client = Client.from_settings()
        except NotConfigured as error:
            raise CommandError(str(error)) from None
        results = [self.fetch(identifier, client) for identifier in options["identifier"]]
        if not all(results):
            raise CommandError(f"{results.count(False)} of {len(results)} could not be fetched.")

    def fetch(self, identifier: str, client: Client) -> bool:
        call = Call.objects.named(identifier)
        if call is None:
            self.stderr.write(f"{identifier}: there is no such call.")
            return False
        try:
            fetched = fetch(call, client)
        except (StillRunning, NoConversation, UpstreamError) as error:
            self.stderr.write(f"{call.call_sid}: {error}")
            return False
        changed = ", ".join(fetched.changed) or "nothing"
        self.stdout.write(f"{call.call_sid}: {fetched.call.status}; changed: {changed}. {fetched.note}".rstrip())
        return True
