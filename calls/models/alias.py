"""The former and further names of a call."""

from __future__ import annotations

from django.db import models

from calls.models.call import IDENTIFIER_MAX_LENGTH, Call


class CallAlias(models.Model):
    """A name that a call had, or that an outside system has for it. It keeps working wherever a call is named."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=IDENTIFIER_MAX_LENGTH, unique=True)

    class Meta:
        verbose_name = "former name"

    def __str__(self) -> str:
        return self.name
