"""Lists of functions by which other rooms add HTML to the pages of calls. Their admin modules append to the lists.

Each function gets the request, on a call's page also the call, and returns HTML, or "" if the user may not see it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from calls.models import Call

PartOfPage = Callable[[HttpRequest, Call], str]
links_from_call: list[PartOfPage] = []  # in the head of a call's page: links and buttons
sections_of_call: list[PartOfPage] = []  # beside the conversation, each a <section>
links_above_list: list[Callable[[HttpRequest], str]] = []  # above the list of calls, each an <a>
