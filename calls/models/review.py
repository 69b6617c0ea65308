"""What staff add to a call that they reviewed: labels, and notes on the call or on a turn."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from calls.models.call import Call

LABEL_MAX_LENGTH = 40
WORDS_MAX_LENGTH = 200


class CallLabel(models.Model):
    """A short word on a call. `calls.review.labels` says how it is written."""

    # no index of its own: the unique name within the call begins with it
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="labels", db_index=False)
    name = models.CharField(max_length=LABEL_MAX_LENGTH)

    class Meta:
        verbose_name = "label"
        default_permissions = ()  # who may see a call sees it; who may review calls writes it
        constraints = [
            models.UniqueConstraint(fields=["call", "name"], name="label_once_a_call"),
            models.CheckConstraint(name="label_not_empty", condition=~Q(name="")),
        ]
        indexes = [models.Index(fields=["name", "-call"], name="label_name")]

    def __str__(self) -> str:
        return self.name


class ReviewNote(models.Model):
    """A note on a call, or on one of its turns. It is never changed; its author may delete it.

    Author and turn are values, which stay when the user is deleted, and when the turn is numbered anew, joined to
    another or told otherwise afterwards. `calls.review.places` finds the turn by them.
    """

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="review_notes")
    author_id = models.BigIntegerField("author's key")
    author_name = models.CharField("author", max_length=255)
    written_at = models.DateTimeField(default=timezone.now)
    text = models.TextField()
    turn_key = models.BigIntegerField(null=True, blank=True, help_text="Of the live turn; null: it was not heard live.")
    second = models.PositiveIntegerField(null=True, blank=True, help_text="When it was said, on the call's clock.")
    speaker = models.CharField(max_length=16, blank=True)
    words = models.CharField("the turn's first words", max_length=WORDS_MAX_LENGTH, blank=True)

    class Meta:
        verbose_name = "note"
        default_permissions = ()
        ordering = ["id"]

    def __str__(self) -> str:
        return f"Note {self.pk} on call {self.call_id}"

    @property
    def is_of_turn(self) -> bool:
        return bool(self.turn_key or self.words or self.second is not None)
