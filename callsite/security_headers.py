"""The security headers for answers that bypass Django. Django's middleware makes them, from the same settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.middleware.security import SecurityMiddleware

from callsite.middleware import keep_out_of_caches


@lru_cache(maxsize=4)
def security_headers(scheme: str) -> list[tuple[bytes, bytes]]:
    """Return the headers, as ASGI sends them, for a request that came by `scheme`."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "scheme": scheme}
    serve: Callable[[HttpRequest], Any] = keep_out_of_caches(lambda request: HttpResponse(headers={"Content-Type": ""}))
    for middleware in (XFrameOptionsMiddleware, ContentSecurityPolicyMiddleware, SecurityMiddleware):
        serve = middleware(serve)
    response = serve(ASGIRequest(scope, BytesIO()))
    return [(name.lower().encode(), value.encode()) for name, value in response.items() if name != "Content-Type"]
