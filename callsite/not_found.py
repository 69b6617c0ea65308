"""The answer to an address that does not exist."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import page_not_found


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return JSON under /api/, and Django's page elsewhere."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "Not found. /api/docs/ lists the addresses of the API."}, status=404)
    return page_not_found(request, exception)
