"""The routes of REST that ask ElevenLabs."""

from __future__ import annotations

import functools

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path

from calls.api.urls import call
from upstream.views import Dial

_dial = Dial.as_view()


@functools.wraps(_dial)  # with what the schema is made from
def dial(request: HttpRequest) -> HttpResponseBase:
    """POST dials. Whatever else is asked here means a call that somebody named so."""
    return _dial(request) if request.method == "POST" else call(request, identifier="dial")


urlpatterns = [path("calls/dial/", dial, name="call-dial")]
