"""The review of a call by staff: labels, and notes on the call or on one of its turns."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from calls.models.call import Call

LABEL_MAX_LENGTH = 40
WORDS_MAX_LENGTH = 200


class CallLabel(models.Model):
    """A label: a short word on a call. `calls.review.labels` says how it is written."""

    # no index on this column: the unique constraint on call and name begins with it
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="labels", db_index=False)
    name = models.CharField(max_length=LABEL_MAX_LENGTH)

    class Meta:
        verbose_name = "label"
        default_permissions = ()  # seeing a call is enough to see its labels; reviewing calls is needed to write them
        constraints = [
            models.UniqueConstraint(fields=["call", "name"], name="label_once_a_call"),
            models.CheckConstraint(name="label_not_empty", condition=~Q(name="")),
        ]
        indexes = [models.Index(fields=["name", "-call"], name="label_name")]

    def __str__(self) -> str:
        return self.name


class ReviewNote(models.Model):
    """A note on a call, or on one of its turns. A note is never changed; its author may delete it.

    Author and turn are stored as values. They stay when the user is deleted, and when the turn is renumbered, merged
    with another turn, or worded differently in the final transcript. `calls.review.places` finds the turn by these
    values.
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
