"""`manage.py elevenlabs_doctor`: says what is wrong with the set-up, and how to mend it."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from upstream.doctor import examine
from upstream.findings import Level

EXIT_CODES = {Level.FINE: 0, Level.BROKEN: 1, Level.WARNING: 2}


class Command(BaseCommand):
    help = (
        "Examines the set-up at ElevenLabs and here, says what is wrong and how to mend it, and changes nothing. "
        "Exits with 0 if all is well, 1 if something is broken, 2 if there are only warnings."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="", help="callsite's public address, as in https://calls.example.com")

    def handle(self, *args: Any, **options: Any) -> None:
        site: str = options["url"]
        if site and not site.startswith(("https://", "http://")):  # argparse would exit with the code of warnings
            raise CommandError(f"{site!r} is not an address: write --url https://YOUR-HOST.")
        findings = examine(site)
        for finding in findings:
            self.stdout.write(f"{finding.level:<8} {finding.text}")
            if finding.mend:
                self.stdout.write(f"         → {finding.mend}")
        levels = {finding.level for finding in findings}
        worst = next((level for level in (Level.BROKEN, Level.WARNING) if level in levels), Level.FINE)
        sys.exit(EXIT_CODES[worst])
