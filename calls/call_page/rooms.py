"""What other rooms have to show of calls. Their admin modules add to these lists.

Each function gets the request, and the call where there is one, and returns HTML, or "" for a user who may not see it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from calls.models import Call

PartOfPage = Callable[[HttpRequest, Call], str]
links_from_call: list[PartOfPage] = []  # in the head: where else to look, what to do
sections_of_call: list[PartOfPage] = []  # beside the conversation, each a <section>
links_above_list: list[Callable[[HttpRequest], str]] = []  # above the list of calls, each an <a>
