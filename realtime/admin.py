"""What the live page adds to a call's page in the admin."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from calls.call_page.rooms import links_from_call
from calls.models import Call


def watch_live(request: HttpRequest, call: Call) -> str:
    """A link to a call in progress on the live page."""
    if call.ended:
        return ""
    return format_html('<a class="button" href="{}#{}">Watch live</a>', reverse("live"), quote(call.call_sid, safe=""))


links_from_call.append(watch_live)
