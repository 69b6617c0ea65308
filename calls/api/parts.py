"""Addresses behind a call's: `…/transcript/` and `…/recording/`, and calls whose identifier ends like that.

A plain slash begins the part of a call: `/api/calls/a/transcript/` is the transcript of `a`. Where there is no such
call, it is the call `a/transcript`. A slash that the client encodes always belongs to the identifier, so
`/api/calls/a%2Ftranscript/` is the call `a/transcript`, whatever other calls there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

View = Callable[..., HttpResponseBase]


def part_or_call(part: str, of_call: View, call: View) -> View:
    """The view of a part, which gives way to the view of the call that has the whole path as its identifier."""

    @functools.wraps(of_call)  # with what the schema is made from
    def view(request: HttpRequest, identifier: str) -> HttpResponseBase:
        whole = f"{identifier}/{part}"
        if _is_encoded(request, part):
            return call(request, identifier=whole)
        response = of_call(request, identifier=identifier)
        if response.status_code in (404, 405) and request.method != "POST":  # which no call takes at its own address
            instead = call(request, identifier=whole)
            if instead.status_code not in (404, 405):
                return instead
        return response

    return view


def _is_encoded(request: HttpRequest, part: str) -> bool:
    """Whether the slash before the part came as %2F. Only ASGI tells the path as it came."""
    path: bytes = getattr(request, "scope", {}).get("raw_path") or b""
    path = path.partition(b"?")[0].rstrip(b"/").lower()
    return path.endswith(b"%2f" + part.encode())
