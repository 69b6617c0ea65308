"""Adds a link to the live page to a call's page in the admin."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from calls.call_page.rooms import links_from_call
from calls.models import Call


def watch_live(request: HttpRequest, call: Call) -> str:
    """Return a link that opens the call on the live page; an empty string where the call has ended."""
    if call.ended:
        return ""
    return format_html('<a class="button" href="{}#{}">Watch live</a>', reverse("live"), quote(call.call_sid, safe=""))


links_from_call.append(watch_live)
