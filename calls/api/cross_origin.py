"""CORS for a view: pages of other sites may call it with a token, never with a cookie, as they may open the socket."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

MAX_AGE_SECONDS = 2 * 3600  # how long a browser may cache the permission


def readable_from_other_sites(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Wrap a view so that it allows GET and HEAD by CORS, and answers the preflight request itself.

    The response has no `Access-Control-Allow-Credentials`, so a browser hides an answer that was requested with a
    cookie. See https://fetch.spec.whatwg.org/#http-cors-protocol.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response: HttpResponseBase = HttpResponse(status=204)
            response["Access-Control-Allow-Methods"] = "GET, HEAD"
            response["Access-Control-Allow-Headers"] = "Authorization"
            response["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
        else:
            response = view(request, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        return response

    return answer
