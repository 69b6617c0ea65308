"""Template filters that format the values of calls: words, times, durations, names."""

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
    """Return what `words` returns, but with plain quotes (JSON has many). Only for the content of an element."""
    return mark_safe(bidi.words(text).replace("&quot;", '"'))  # noqa: S308


@register.filter
def named(code: str) -> str:
    """Return a code as words: `no-answer` → `No answer`. A sentence stays as it is."""
    if not re.fullmatch(r"[\w-]+", code):
        return code
    text = re.sub(r"[_-]+", " ", code).strip()
    return text[:1].upper() + text[1:]


@register.filter
def clock(seconds: float | Decimal | None) -> str:
    """Return a duration in seconds as `0:07`, `12:31` or `1:02:09`; "" for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def moment(at: datetime | None) -> SafeString | str:
    """Return a time as HTML, with date and seconds, in CALLS_TIME_ZONE. A script converts it to the reader's zone."""
    if at is None:
        return ""
    local = in_zone(at)
    return format_html('<time datetime="{}">{}</time>', iso(at), f"{local.day} {local:%b %Y, %H:%M:%S}")


def in_zone(at: datetime) -> datetime:
    """Return a time in CALLS_TIME_ZONE, or in UTC if the conversion would leave Python's calendar."""
    try:
        return at.astimezone(zone())
    except OverflowError:
        return at.astimezone(UTC)


@register.filter
def number(value: Decimal | None) -> str:
    """Return a number with commas between thousands and without trailing zeros; "" for None."""
    return "" if value is None else f"{value.normalize():,f}" if value else "0"


@register.filter
def value(collected: Any) -> str:
    """Return a value that an analysis collected as text: `–` for nothing, Yes or No, JSON for lists and objects."""
    if collected is None or collected == "":
        return "–"
    if isinstance(collected, dict | list):
        return json.dumps(collected, ensure_ascii=False)
    return ("Yes" if collected else "No") if isinstance(collected, bool) else str(collected)
