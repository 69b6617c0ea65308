"""The tables of the inbox: one row per verified HTTP request with its result, and counts of refused requests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, LiteralString

from django.db import IntegrityError, models
from django.db.models import Q
from django.db.models.constants import OnConflict
from django.utils import timezone

from calls.models import Call
from calls.postgres.server_side import binds_parameters, execute

LARGE_BYTES = 2**20  # larger bodies are handled in ways that save memory and time
SET_BODY: LiteralString = "UPDATE webhooks_webhookdelivery SET body = %b WHERE id = %s"
ANOTHER_COPY = "delivery_once_by_digest: another copy of this webhook is being kept."


class WebhookDelivery(models.Model):
    """A verified HTTP request as it came, and its result.

    A repeat of a post-call webhook is recognised by its digest, and counted on the same row.
    """

    class Route(models.TextChoices):
        POST_CALL = "post-call", "Post-call"
        TRANSCRIPTION = "transcription", "Live turn"
        CONVERSATION_INIT = "conversation-init", "Conversation initiation"

    class Outcome(models.TextChoices):
        APPLIED = "applied", "Applied"
        IGNORED = "ignored", "Ignored"
        REJECTED = "rejected", "Rejected"
        UNMATCHED = "unmatched", "Waits for its call"
        FAILED = "failed", "Failed"

    route = models.CharField(max_length=24, choices=Route)
    digest = models.CharField("SHA-256", max_length=64, help_text="Of the body, byte for byte.")
    body = models.BinaryField()
    size_bytes = models.PositiveBigIntegerField()
    event_type = models.CharField(max_length=64, blank=True)
    conversation_id = models.CharField("conversation ID", max_length=255, blank=True)
    call_sid = models.CharField("call SID", max_length=255, blank=True)
    call = models.ForeignKey(Call, null=True, blank=True, on_delete=models.SET_NULL, related_name="webhook_deliveries")
    outcome = models.CharField(max_length=16, choices=Outcome)
    answer_status = models.PositiveSmallIntegerField()
    answer_body = models.JSONField()
    error = models.TextField(blank=True, help_text="Why it was not applied; for the staff alone.")
    received_at = models.DateTimeField()
    times_received = models.PositiveIntegerField(default=1)
    times_applied = models.PositiveIntegerField(default=0)
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        permissions = [
            ("apply_again_webhookdelivery", "Can apply webhook deliveries again"),
            ("view_raw_payload", "Can view payloads as they came, with their secrets"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["digest"], condition=Q(route="post-call"), name="delivery_once_by_digest"),
            models.CheckConstraint(
                name="delivery_outcome_known",
                condition=Q(outcome__in=["applied", "ignored", "rejected", "unmatched", "failed"]),
            ),
        ]
        indexes = [
            models.Index(fields=["outcome", "-id"], name="delivery_outcome"),
            models.Index(fields=["conversation_id", "-id"], name="delivery_conversation"),
            models.Index(fields=["call_sid", "-id"], name="delivery_call_sid"),
            models.Index(fields=["event_type", "-id"], name="delivery_event_type"),
            models.Index(fields=["digest"], name="delivery_digest"),
            models.Index(fields=["received_at"], name="delivery_received"),
            models.Index(fields=["route", "-id"], name="delivery_route"),
        ]

    names: Sequence[str] = ()  # every name that the body has for its call, once the body is read; not a column

    def __str__(self) -> str:
        return f"{self.event_type or self.route} {self.pk}"

    @classmethod
    def of_request(cls, route: str, body: bytes) -> WebhookDelivery:
        """Return a new, unsaved delivery of a request that comes now."""
        digest = hashlib.sha256(body).hexdigest()
        return cls(route=route, digest=digest, body=body, size_bytes=len(body), received_at=timezone.now())

    def _do_insert(self, manager: Any, using: Any, fields: Any, returning_fields: Any, raw: Any) -> list[Any]:
        """Insert the row as Django does, but do nothing on a conflict. Raises IntegrityError if a copy came first.

        PostgreSQL would report the conflict as an error, and log the statement with the whole body. A large body
        follows in a second statement, as bytes: Django would write it into the first statement's text, in five copies.
        """
        options = {"fields": fields, "returning_fields": returning_fields, "using": using, "raw": raw}
        body = self.body
        follows = len(body) > LARGE_BYTES and binds_parameters(using)
        try:
            self.body = b"" if follows else body
            rows: list[Any] = manager._insert([self], on_conflict=OnConflict.IGNORE, **options)
        finally:
            self.body = body
        if not rows:
            raise IntegrityError(ANOTHER_COPY)
        if follows:
            execute(SET_BODY, [body, rows[0][0]])
        return rows


class WaitingName(models.Model):
    """A name under which an unmatched delivery waits for its call."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="waiting_names")
    name = models.CharField(max_length=255, db_index=True)

    def __str__(self) -> str:
        return self.name


class RefusedRequests(models.Model):
    """The number of requests that were refused in one hour for one reason, with 401 or 413. Nothing else is kept."""

    class Reason(models.TextChoices):
        """Why a request was refused: the `fault` of NotAuthenticated, or that the body was too large."""

        MISSING = "missing", "no signature"
        MALFORMED = "malformed", "malformed signature"
        STALE = "stale", "signature too old"
        AHEAD = "ahead", "signature ahead of the clock"
        WRONG = "wrong", "wrong secret"
        TOOL_SECRET = "tool_secret", "wrong tool secret"
        NO_SECRET = "no_secret", "no secret is set here"
        TOO_LARGE = "too_large", "body too large"

    hour = models.DateTimeField(help_text="When the hour began.")
    reason = models.CharField(max_length=16, choices=Reason)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = verbose_name_plural = "refused requests"
        ordering = ["-hour", "reason"]
        constraints = [models.UniqueConstraint(fields=["hour", "reason"], name="refused_requests_once_an_hour")]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}, {self.hour:%Y-%m-%d %H:00}"
