"""The written form of labels, and the labels that are in use."""

from __future__ import annotations

import re
import unicodedata

from django.http import HttpRequest

from calls.access import agents_of_request, visible
from calls.bidi import CONTROLS
from calls.models import CallLabel
from calls.models.review import LABEL_MAX_LENGTH
from calls.redaction import redacted
from calls.review.refusals import NotReviewed

LABELS_OF_CALL = 20
NEWEST_LOOKED_AT = 500
SUGGESTED = 40


def written(name: str) -> str:
    """Return a label as it is stored: lower case, single spaces, no control characters."""
    seen = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char
        for char in unicodedata.normalize("NFC", name)
        if char not in CONTROLS
    )
    return re.sub(r"\s+", " ", seen).strip().lower()


def names_in(text: str) -> list[str]:
    """Return the labels in a text, separated by commas. Raises NotReviewed for a bad label, or if there is none."""
    names = list(dict.fromkeys(name for part in text.split(",") if (name := written(part))))
    if not names:
        raise NotReviewed("Type a label.")
    if any(len(name) > LABEL_MAX_LENGTH for name in names):
        raise NotReviewed(f"A label has at most {LABEL_MAX_LENGTH} characters. A comma ends one.")
    if any(redacted(name) != name for name in names):
        raise NotReviewed("A label cannot hold a secret, as addresses show it. In a note it is masked.")
    return names


def in_use(request: HttpRequest) -> list[str]:
    """Return up to SUGGESTED labels that were given lately to calls which the user may see, in alphabetical order.

    The query reads only the newest NEWEST_LOOKED_AT labels, so that it does not grow with the table. The request caches
    the result, because a call's page asks twice: for itself, and for the list that the reader came from.
    """
    known: list[str] | None = getattr(request, "labels_in_use", None)
    if known is None:
        newest = CallLabel.objects.order_by("-pk").values("pk")[:NEWEST_LOOKED_AT]
        rows = visible(CallLabel.objects.filter(pk__in=newest), agents_of_request(request), "call__agent_id")
        names = rows.order_by("-pk").values_list("name", flat=True)
        known = sorted(list(dict.fromkeys(names))[:SUGGESTED])
        request.labels_in_use = known  # type: ignore[attr-defined]
    return known
