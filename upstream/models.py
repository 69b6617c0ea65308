"""The tables of dials with a key, of rounds of reconciling, and of recordings that do not exist."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from calls.models import Call


class DialRequest(models.Model):
    """A dial with an `Idempotency-Key`, and its answer, kept for a day. Without an answer, the dial is under way."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    digest = models.CharField("SHA-256", max_length=64, help_text="Of what was asked for.")
    call = models.ForeignKey(Call, null=True, on_delete=models.SET_NULL, related_name="+")
    answer_status = models.PositiveSmallIntegerField(null=True)
    answer_body = models.JSONField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="dial_once_by_key")]

    def __str__(self) -> str:
        return f"Dial request {self.pk}"


class ReconcileRound(models.Model):
    """One round of reconciling. All conversations before `watermark` are settled, so the next round begins there."""

    started_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)
    since = models.DateTimeField(help_text="Conversations that began before were not listed.")
    watermark = models.DateTimeField(null=True, help_text="The next round lists conversations from here on.")
    requests = models.PositiveIntegerField(default=0, help_text="Made to ElevenLabs.")
    seen = models.PositiveIntegerField(default=0, help_text="Conversations that ElevenLabs listed.")
    running = models.PositiveIntegerField(default=0, help_text="Of these, still running.")
    ended_calls = models.PositiveIntegerField(default=0, help_text="Calls that had ended, and nobody had told.")
    created_calls = models.PositiveIntegerField(default=0, help_text="Calls that were missing.")
    linked_calls = models.PositiveIntegerField(default=0, help_text="Running conversations that nobody had told of.")
    recordings = models.PositiveIntegerField(default=0, help_text="Recordings that never came.")
    dials_settled = models.PositiveIntegerField(default=0, help_text="Dials without an answer that are settled now.")
    of_others = models.PositiveIntegerField(default=0, help_text="Conversations of agents that have no call here.")
    failed = models.PositiveIntegerField(default=0, help_text="Conversations that could not be fetched.")
    error = models.TextField(blank=True, help_text="Why the round did not come to its end.")

    COUNTS = (
        *("requests", "seen", "running", "ended_calls", "created_calls", "linked_calls"),
        *("recordings", "dials_settled", "of_others", "failed"),
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "round of reconciling"
        verbose_name_plural = "rounds of reconciling"

    def __str__(self) -> str:
        return f"Round {self.pk}"

    @staticmethod
    def label(name: str) -> str:
        """Return the name of a count in words."""
        return name.replace("_", " ")


class MissingRecording(models.Model):
    """A conversation without a recording at ElevenLabs. The row keeps each round from asking for it again."""

    conversation_id = models.CharField(max_length=255, unique=True)
    asked_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.conversation_id
