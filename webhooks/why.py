"""Texts for the staff: why a delivery has its outcome, in one line, and what an unmatched delivery waits for."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.db.models import Q

from calls.models import Call
from calls.names import Owner, look_up
from calls.redaction import redacted
from webhooks.models import WebhookDelivery

LINE_CHARACTERS = 200
NEAR, NEAR_CHARACTERS = 5, 8  # similar calls to show; first characters that names must share to be similar
Outcome = WebhookDelivery.Outcome
# control characters, marks that change a text's direction, and invisible marks
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def visible(text: str) -> str:
    """Return the text with every invisible character replaced by its JSON escape."""
    shown = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return shown.encode("utf-8", "backslashreplace").decode()


def line(text: str) -> str:
    """Return the text on one line, without secrets, cut to LINE_CHARACTERS."""
    shown = visible(" ".join(redacted(text).split()))
    return shown if len(shown) <= LINE_CHARACTERS else f"{shown[:LINE_CHARACTERS]}…"


def why(outcome: str, event_type: str, error: str) -> str:
    """Return one line that says why a delivery has this outcome; an empty string where there is nothing to say.

    `error` is the delivery's error. Of a long error the beginning is enough; of a failed delivery's error, the end.
    """
    if outcome == Outcome.FAILED:
        return line(([""] + [text for text in error.splitlines() if text.strip()])[-1])  # a traceback's last line
    if outcome == Outcome.IGNORED and not error:
        return f"callsite does nothing with {line(event_type)}."
    return line(error)


class Wanted(NamedTuple):
    """The names that an unmatched delivery waits for, and the calls that match them.

    `names`: pairs of a field and the name that it gave. `known`: calls that have one of the names by now. `near`: calls
    with a similar name: one of the two names is the beginning of the other, so somebody may have cut it off.
    """

    names: list[tuple[str, str]]
    known: list[Owner]
    near: list[Call]


def wanted_by(delivery: WebhookDelivery) -> Wanted:
    """Look up what an unmatched delivery waits for, with a few queries that each use an index."""
    fields = {delivery.call_sid: "call_sid", delivery.conversation_id: "conversation_id"}
    texts = list(delivery.waiting_names.order_by("pk").values_list("name", flat=True)) or [*filter(None, fields)]
    known = look_up(texts).calls
    alike = Q()
    for text in texts:
        if len(text) >= NEAR_CHARACTERS:
            beginnings = [text[:length] for length in range(NEAR_CHARACTERS, len(text))]
            for field in ("call_sid", "conversation_id"):
                alike |= Q(**{f"{field}__startswith": text}) | Q(**{f"{field}__in": beginnings})
    near = (
        list(Call.objects.filter(alike).exclude(pk__in=known).order_by("-pk").only("call_sid")[:NEAR]) if alike else []
    )
    return Wanted([(fields.get(text, "name"), text) for text in texts], list(known.values()), near)
