"""`manage.py seed_calls --calls N`: fills PostgreSQL as after years of use, to measure; minutes for a million calls.

It writes calls of the past year, of ever more drivers, with turns, outcome and deliveries, by COPY: it sends no signal,
so nobody hears of them. The call with the id i has the names `CA{i:032}` and `conv_{i}`, and its turns say its number.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import time
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper

from calls.models import Call, CallTranscription
from calls.search.words import distinct_words
from webhooks.models import WebhookDelivery

CALLS_A_TRANSACTION = 10_000
CALLS_A_DRIVER = 100
YEAR = timedelta(days=365)
# These texts need no escaping, in JSON or for COPY.
OPENINGS = ["Good morning", "Hello", "Hi there", "Good afternoon", "Thanks for calling", "One moment please"]
SUBJECTS = [
    "the pallet",
    "your parcel",
    "the trailer",
    "this delivery",
    "the cold chain",
    "our gate",
    "the customs form",
]
VERBS = ["arrives at", "is waiting at", "was moved to", "never reached", "has left", "is blocked at", "was refused at"]
PLACES = ["dock four", "Rotterdam", "the north yard", "Lyon", "gate twelve", "the depot", "Gdansk", "the weighbridge"]
REASONS = [
    "because of the rain",
    "as agreed",
    "without a signature",
    "since yesterday",
    "after the inspection",
    "again",
]
SENTENCES = [
    f"{opening}, {subject} {verb} {place} {reason}."
    for opening, subject, verb, place, reason in itertools.product(OPENINGS, SUBJECTS, VERBS, PLACES, REASONS)
]
RARE_WORDS = ["refrigeration", "demurrage", "detour", "forklift", "invoice", "puncture", "roadworks", "spillage"]


class Command(BaseCommand):
    help = "Fills PostgreSQL with calls, turns and deliveries, to measure how the cost grows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--calls", type=int, required=True, help="how many calls to add")
        parser.add_argument("--turns", type=int, default=10, help="turns a call, on average (10)")
        parser.add_argument("--seed", type=int, default=1, help="of the randomness (1)")
        parser.add_argument("--yes-i-mean-it", action="store_true", help="also where DEBUG is off")

    def handle(self, **options: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("seed_calls writes with COPY: set DATABASE_URL to a PostgreSQL.")
        if not settings.DEBUG and not options["yes_i_mean_it"]:
            raise CommandError("DEBUG is off, so this may be production. Made-up calls are wanted? --yes-i-mean-it")
        count, began = options["calls"], time.monotonic()
        with connection.cursor() as cursor:
            first = _reserve(cursor, Call, count)
        seeding = Seeding(first, count, options["turns"], options["seed"])
        for start in range(first, first + count, CALLS_A_TRANSACTION):
            seeding.write(range(start, min(start + CALLS_A_TRANSACTION, first + count)))
            if options["verbosity"] > 1:
                self.stdout.write(f"{start - first:,} calls after {time.monotonic() - began:.0f} s")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        if options["verbosity"]:
            self.stdout.write(f"{count:,} calls, from number {first}, in {time.monotonic() - began:.0f} s")


class Seeding:
    """Makes the rows of the calls with the ids `first` … `first + count - 1`."""

    def __init__(self, first: int, count: int, turns: int, seed: int) -> None:
        self.first, self.count, self.turns = first, count, turns
        self.random = random.Random(seed + first)  # noqa: S311  (no secret)
        self.drivers = max(10, (first + count) // CALLS_A_DRIVER)
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.tables = {model: Columns(model) for model in (Call, CallTranscription, WebhookDelivery)}

    def write(self, numbers: range) -> None:
        """Write the calls with these ids in one transaction."""
        calls, turns, deliveries = [], [], []
        for number in numbers:
            call, spoken, delivery = self._call(number)
            calls.append(call)
            turns += spoken
            deliveries += delivery
        with transaction.atomic(), connection.cursor() as cursor:
            for model, rows in ((Call, calls), (CallTranscription, turns), (WebhookDelivery, deliveries)):
                columns = self.tables[model]
                with cursor.copy(f"COPY {model._meta.db_table} ({', '.join(columns.names)}) FROM STDIN") as copy:
                    copy.write("".join(rows))

    def _call(self, number: int) -> tuple[str, list[str], list[str]]:
        draw = self.random.random
        share = (number - self.first) / self.count
        start = self.now - YEAR * (1 - share) - timedelta(seconds=int(draw() * 3600))
        spoken = self._said(number, max(1, int(draw() * 2 * self.turns + 0.5)))
        status = _status(draw())
        seconds = 7 * len(spoken) + int(draw() * 60)
        end = start + timedelta(seconds=seconds)
        ended = status != "in_progress"
        began, over = start.isoformat(), end.isoformat()
        summary = f"Order ORD-{number}: {spoken[-1]}" if status == "completed" else ""
        transcript = self._transcript(spoken) if status == "completed" else "[]"
        analysis = _analysis(summary, draw() < 0.8)
        metadata = (
            f'{{"call_duration_secs": {seconds}, "cost": {seconds}, "start_time_unix_secs": {int(start.timestamp())}}}'
        )
        texts = {
            "call_sid": f"CA{number:032}",
            "conversation_id": f"conv_{number}",
            "driver_id": f"DRV_{int(draw() * self.drivers)}",
            "agent_id": f"agent_{int(draw() ** 2 * 20)}",
            "agent_name": "Dispatch",
            "from_number": f"+1555{number % 10_000_000:07}",
            "to_number": f"+4930{int(draw() * 10_000_000):07}",
            "transcript_summary": summary,
            "failure_reason": "no-answer" if status == "failed" else "",
        }
        call = self.tables[Call].row(
            **texts,
            search_words=" ".join(f"'{word}'" for word in distinct_words([*texts.values(), *spoken])),
            words_upto=len(spoken),
            words_behind="f",
            id=number,
            status=status,
            direction="outbound" if draw() < 0.7 else "inbound",
            call_start_time=began,
            call_end_time=over if ended else None,
            call_duration_seconds=seconds if status == "completed" else None,
            cost=seconds if status == "completed" else None,
            call_successful=("t" if draw() < 0.8 else "f") if status == "completed" else None,
            analysis_data=analysis if status == "completed" else None,
            metadata_json=metadata if ended else None,
            final_transcript=transcript if status == "completed" else None,
            last_sequence_number=len(spoken),
            final_sequence_number=len(spoken) if ended else None,
            transcription_time=over if status == "completed" else None,
            created_at=began,
            updated_at=over if ended else began,
        )
        deliveries = [self._delivery(number, status, over, transcript, analysis, metadata)] if ended else []
        if draw() < 0.02:
            deliveries.append(self._stray_delivery(number, over))
        return call, self._turns(number, start, spoken), deliveries

    def _said(self, number: int, count: int) -> list[str]:
        said = self.random.choices(SENTENCES, k=count)
        said[0] = f"{said[0]} It is about order ORD-{number}."
        if self.random.random() < 0.01:
            said[-1] = f"{said[-1]} There was a {self.random.choice(RARE_WORDS)}."
        return said

    def _turns(self, number: int, start: datetime, spoken: list[str]) -> list[str]:
        row, moment = self.tables[CallTranscription].row, start.isoformat()
        return [
            row(
                call_id=number,
                sequence_number=place,
                speaker_type="driver" if place % 2 else "agent",
                message_text=text,
                timestamp=moment,
                turn_id=f"t{place}" if number % 2 else None,
                created_at=moment,
            )
            for place, text in enumerate(spoken, 1)
        ]

    def _transcript(self, spoken: list[str]) -> str:
        roles = ("user", "agent")
        items = (
            f'{{"role": "{roles[place % 2]}", "message": "{text}", "time_in_call_secs": {7 * place}}}'
            for place, text in enumerate(spoken)
        )
        return f"[{', '.join(items)}]"

    def _delivery(self, number: int, status: str, over: str, transcript: str, analysis: str, metadata: str) -> str:
        kind = "post_call_transcription" if status == "completed" else "call_initiation_failure"
        body = (
            f'{{"type": "{kind}", "event_timestamp": "{over}", "data": {{"conversation_id": "conv_{number}",'
            f' "agent_id": "agent_1", "status": "done", "transcript": {transcript}, "analysis": {analysis},'
            f' "metadata": {metadata}}}}}'
        )
        return self._kept(number, body, kind, "applied", over, number, 200)

    def _stray_delivery(self, number: int, over: str) -> str:
        """Return a delivery that belongs to no call: of another product, of an unknown call, or broken."""
        outcome, kind, answer = self.random.choice(
            [
                ("ignored", "voice_removed", 200),
                ("rejected", "unheard_of", 400),
                ("unmatched", "post_call_transcription", 404),
                ("failed", "post_call_transcription", 500),
            ]
        )
        body = f'{{"type": "{kind}", "event_timestamp": "{over}", "data": {{"conversation_id": "stray_{number}"}}}}'
        return self._kept(number, body, kind, outcome, over, None, answer)

    def _kept(self, number: int, body: str, kind: str, outcome: str, over: str, call: int | None, answer: int) -> str:
        return self.tables[WebhookDelivery].row(
            route="post-call",
            digest=hashlib.sha256(body.encode()).hexdigest(),
            body=body,
            size_bytes=len(body),
            event_type=kind,
            conversation_id=f"conv_{number}" if call else f"stray_{number}",
            call_sid=f"CA{number:032}" if call else "",
            call_id=call,
            outcome=outcome,
            answer_status=answer,
            answer_body=f'{{"status": "success", "conversation_id": "conv_{number}"}}',
            received_at=over,
            times_received=1,
            times_applied=int(outcome == "applied"),
            applied_at=over if outcome == "applied" else None,
        )


class Columns:
    """The columns of a model's table. It makes rows for COPY; a value that is not given is the field's default."""

    def __init__(self, model: type[models.Model]) -> None:
        fields = [f for f in model._meta.concrete_fields if not f.generated]
        if model is not Call:  # the database gives the ids of the other models
            fields = [field for field in fields if not field.primary_key]
        self.defaults: dict[str, Any] = {
            str(f.column): None if f.null or f.primary_key else f.get_default() for f in fields
        }
        self.names = list(self.defaults)

    def row(self, **values: Any) -> str:
        values = {**self.defaults, **values}
        return "\t".join(["\\N" if values[name] is None else str(values[name]) for name in self.names]) + "\n"


def _reserve(cursor: CursorWrapper, model: type[models.Model], count: int) -> int:
    """Reserve `count` ids of the table, and return the first."""
    cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [model._meta.db_table])
    sequence = cursor.fetchone()[0]
    cursor.execute("SELECT nextval(%s)", [sequence])
    first: int = cursor.fetchone()[0]
    cursor.execute("SELECT setval(%s, %s)", [sequence, first + count - 1])
    return first


def _status(drawn: float) -> str:
    if drawn < 0.02:
        return "in_progress"
    return "failed" if drawn < 0.10 else "completed"


def _analysis(summary: str, successful: bool) -> str:
    word = "success" if successful else "failure"
    return json.dumps({"call_successful": word, "transcript_summary": summary, "data_collection_results": {}})
