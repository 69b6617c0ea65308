"""How pages write what calls hold: words, times, durations, names."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from calls import bidi
from calls.json_values import iso
from calls.zone import zone

register = template.Library()
register.filter("words", bidi.words)


@register.filter
def source(text: str) -> SafeString:
    """As `words`, for the content of an element alone: there quotes need no escape, and JSON has many."""
    return mark_safe(bidi.words(text).replace("&quot;", '"'))  # noqa: S308


@register.filter
def named(code: str) -> str:
    """A code in words: `no-answer` → `No answer`. Sentences stay as they are."""
    if not re.fullmatch(r"[\w-]+", code):
        return code
    text = re.sub(r"[_-]+", " ", code).strip()
    return text[:1].upper() + text[1:]


@register.filter
def clock(seconds: float | Decimal | None) -> str:
    """`0:07`, `12:31`, `1:02:09`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def moment(at: datetime | None) -> SafeString | str:
    """A time with its date and its seconds, in CALLS_TIME_ZONE. A script says it in the reader's zone."""
    if at is None:
        return ""
    local = in_zone(at)
    return format_html('<time datetime="{}">{}</time>', iso(at), f"{local.day} {local:%b %Y, %H:%M:%S}")


def in_zone(at: datetime) -> datetime:
    """In CALLS_TIME_ZONE; at the ends of the calendar, where that is beyond it, in UTC."""
    try:
        return at.astimezone(zone())
    except OverflowError:
        return at.astimezone(UTC)


@register.filter
def number(value: Decimal | None) -> str:
    """With commas between thousands and without empty decimals."""
    return "" if value is None else f"{value.normalize():,f}" if value else "0"


@register.filter
def value(collected: Any) -> str:
    """What an analysis collected: `–` for nothing, Yes and No for booleans, JSON for lists and objects."""
    if collected is None or collected == "":
        return "–"
    if isinstance(collected, dict | list):
        return json.dumps(collected, ensure_ascii=False)
    return ("Yes" if collected else "No") if isinstance(collected, bool) else str(collected)
