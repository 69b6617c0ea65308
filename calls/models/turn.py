"""The turns of a call, as they are heard live."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from calls.models.call import Call


class CallTranscription(models.Model):
    """A turn: one utterance, numbered 1, 2, 3 … within its call without gaps."""

    class SpeakerType(models.TextChoices):
        AGENT = "agent", "Agent"
        DRIVER = "driver", "Driver"

    # no index on this column: the unique constraint on call and number begins with it
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="transcriptions", db_index=False)
    sequence_number = models.PositiveIntegerField()
    speaker_type = models.CharField(max_length=16, choices=SpeakerType)
    message_text = models.TextField()
    timestamp = models.DateTimeField(help_text="When it was said, as the agent tells; else when it arrived.")
    turn_id = models.CharField(  # noqa: DJ001  (null: any number of turns of a call may have none)
        "turn ID", max_length=255, null=True, blank=True, help_text="The sender's own; makes a repeat recognisable."
    )
    history_position = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="Its place in the histories that the agent sends."
    )
    told_singly = models.BooleanField(default=True, editable=False, help_text="It came by itself too.")
    single_came_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it came by itself, if a history had told it before."
    )
    from_history = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="A history told it first."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, help_text="When it came.")

    class Meta:
        verbose_name = "turn"
        ordering = ["call", "sequence_number"]
        constraints = [
            models.UniqueConstraint(fields=["call", "sequence_number"], name="turn_number_unique_in_call"),
            models.UniqueConstraint(
                fields=["call", "turn_id"], condition=Q(turn_id__isnull=False), name="turn_id_unique_in_call"
            ),
            models.CheckConstraint(name="turn_number_from_one", condition=Q(sequence_number__gte=1)),
            models.CheckConstraint(name="turn_speaker_known", condition=Q(speaker_type__in=["agent", "driver"])),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} #{self.sequence_number}"
