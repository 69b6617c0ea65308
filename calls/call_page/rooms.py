"""What other rooms have to show of a call. Their admin modules add to these lists.

Each function gets the request and the call, and returns HTML, or "" for a user who may not see it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from calls.models import Call

PartOfPage = Callable[[HttpRequest, Call], str]
links_from_call: list[PartOfPage] = []  # in the head: where else to look, what to do
sections_of_call: list[PartOfPage] = []  # beside the conversation, each a <section>
