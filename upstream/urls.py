"""The REST routes that ask ElevenLabs. Each takes only POST; another method means a call that has this name."""

from __future__ import annotations

import functools

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path

from calls.api.urls import call
from upstream.views import Dial, Fetch

_dial, _fetch = Dial.as_view(), Fetch.as_view()


@functools.wraps(_dial)  # copies the attributes from which the schema is made
def dial(request: HttpRequest) -> HttpResponseBase:
    return _dial(request) if request.method == "POST" else call(request, identifier="dial")


@functools.wraps(_fetch)
def fetch(request: HttpRequest, identifier: str) -> HttpResponseBase:
    if request.method == "POST":
        return _fetch(request, identifier=identifier)
    return call(request, identifier=f"{identifier}/fetch")


urlpatterns = [
    path("calls/dial/", dial, name="call-dial"),
    path("calls/<path:identifier>/fetch/", fetch, name="call-fetch"),
]
