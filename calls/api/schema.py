"""The OpenAPI document at /api/schema/, generated once per process, language and format."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from calls.api.known_names import KnownParameters

LANGUAGES = {settings.LANGUAGE_CODE, *dict(settings.LANGUAGES)}
_documents: dict[tuple[str, str], str | bytes] = {}
_making = threading.Lock()


class SchemaView(KnownParameters, SpectacularAPIView):
    """The document of this API, as YAML or with `?format=json` as JSON."""

    permission_classes = [AllowAny]

    def parameters(self) -> Iterable[str]:
        return ("lang",)

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        language = request.query_params.get("lang", settings.LANGUAGE_CODE)
        if language not in LANGUAGES:
            raise serializers.ValidationError({"lang": ["There is no such language. Leave it out, or give en."]})
        renderer = request.accepted_renderer
        disposition = f'inline; filename="callsite.{renderer.format}"'
        headers = {"Content-Type": renderer.media_type, "Content-Disposition": disposition}
        return HttpResponse(document(language, renderer), headers=headers)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer an error in JSON, as the other routes do, whatever format was asked for."""
        self.request.accepted_renderer, self.request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().handle_exception(exc)


def document(language: str, renderer: BaseRenderer) -> str | bytes:
    """Return the rendered document; generate it on first use, which takes some 0.3 s.

    The lock is there because drf-spectacular cannot generate in two threads at once.
    """
    key = (language, renderer.media_type)
    with _making:
        if key not in _documents:
            with translation.override(language):
                schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
            _documents[key] = renderer.render(schema, renderer_context={})
        return _documents[key]
