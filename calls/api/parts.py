"""Routes of a call's parts, such as `…/transcript/`, and of calls whose identifier ends like such a route.

A plain slash begins the part of a call: `/api/calls/a/transcript/` is the transcript of the call `a`. If the call `a`
does not exist, the address means the call `a/transcript`. A slash that the client encodes always belongs to the
identifier, so `/api/calls/a%2Ftranscript/` is the call `a/transcript`, whatever other calls there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

View = Callable[..., HttpResponseBase]


def part_or_call(part: str, of_call: View, call: View) -> View:
    """Return the view of a call's part. It answers with `call` where the whole path is the identifier of a call.

    That is the case if the client encoded the slash, or if `of_call` answers 404 or 405 and `call` does not.
    """

    @functools.wraps(of_call)  # keeps the attributes from which the schema is generated
    def view(request: HttpRequest, identifier: str) -> HttpResponseBase:
        whole = f"{identifier}/{part}"
        if _is_encoded(request, part):
            return call(request, identifier=whole)
        response = of_call(request, identifier=identifier)
        if response.status_code in (404, 405) and request.method != "POST":  # a call has no POST at its own address
            instead = call(request, identifier=whole)
            if instead.status_code not in (404, 405):
                return instead
        return response

    return view


def _is_encoded(request: HttpRequest, part: str) -> bool:
    """Tell whether the client sent the slash before the part as %2F. Only ASGI passes the raw path on."""
    path: bytes = getattr(request, "scope", {}).get("raw_path") or b""
    path = path.partition(b"?")[0].rstrip(b"/").lower()
    return path.endswith(b"%2f" + part.encode())
