"""What is kept of requests to ElevenLabs."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from calls.models import Call


class DialRequest(models.Model):
    """A dial that came with an `Idempotency-Key`, and its answer, kept for a day. No answer yet: it is under way."""

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
