"""The rows of the access log: which user looked at or changed what of which call."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from calls.models.call import IDENTIFIER_MAX_LENGTH


class AccessLogEntry(models.Model):
    """One row of the access log. It is written once: PostgreSQL refuses to change or delete it.

    It holds values and no foreign keys, so it stays as it is when the user or the call is renamed or deleted.
    """

    class Kind(models.TextChoices):
        PAGE = "page", "Page"
        TRANSCRIPT = "transcript", "Transcript"
        RECORDING = "recording", "Recording"
        RAW_BODY = "raw_body", "Raw body"
        EXPORT = "export", "Export"
        SUBSCRIPTION = "subscription", "Subscription"
        CHANGE = "change", "Change"
        APPLY_AGAIN = "apply_again", "Apply again"
        END = "end", "End"

    at = models.DateTimeField("time", default=timezone.now)
    kind = models.CharField("what", max_length=16, choices=Kind)
    detail = models.CharField(max_length=255, blank=True, help_text="Which fields, which delivery, which export.")
    user_id = models.BigIntegerField("user's key")
    user_name = models.CharField("user", max_length=255)
    address = models.CharField(max_length=64, blank=True, help_text="Of the client, as the proxy tells it.")
    call_id = models.BigIntegerField("call's key", null=True, blank=True)
    call_sid = models.CharField("call SID", max_length=IDENTIFIER_MAX_LENGTH, blank=True)
    conversation_id = models.CharField("conversation ID", max_length=IDENTIFIER_MAX_LENGTH, blank=True)
    bucket = models.BigIntegerField(
        null=True, blank=True, editable=False, help_text="The quarter of an hour that has one row; null: always a row."
    )

    class Meta:
        verbose_name = "access log entry"
        verbose_name_plural = "access log"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["call_id", "user_id", "kind", "bucket"],
                condition=Q(bucket__isnull=False),
                name="access_logged_once_a_quarter_hour",
            ),
        ]
        indexes = [
            models.Index(fields=["call_id", "-id"], name="access_call"),
            models.Index(fields=["call_sid", "-id"], name="access_call_sid"),
            models.Index(fields=["conversation_id", "-id"], name="access_conversation"),
            models.Index(fields=["user_id", "-id"], name="access_user"),
            models.Index(fields=["user_name", "-id"], name="access_user_name"),
            models.Index(fields=["kind", "-id"], name="access_kind"),
            models.Index(fields=["at"], name="access_at"),
        ]

    def __str__(self) -> str:
        return f"{self.user_name}: {self.get_kind_display()}"
