"""Refusal of unknown query parameters and fields. A 400 names each, because it may be a typing error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

NAMED = 10  # the most unknown names that one answer lists


class KnownParameters(APIView):
    """A view that answers 400 to an unknown query parameter."""

    def parameters(self) -> Iterable[str]:
        """Return the names of the view's own parameters; every view knows `format` too."""
        return ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        known = {*self.parameters(), api_settings.URL_FORMAT_OVERRIDE}
        if unknown := [name for name in request.query_params if name not in known]:
            known_ones = f"There is no such parameter here. There are: {', '.join(sorted(known))}."
            raise serializers.ValidationError({name: [known_ones] for name in unknown[:NAMED]})


class KnownFields(serializers.Serializer[Any]):
    """A serializer that refuses unknown and read-only fields in its input."""

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            if unwritable := [name for name in data if name not in writable]:
                raise serializers.ValidationError(
                    {name: [self._why_not(name, writable)] for name in unwritable[:NAMED]}
                )
        return super().run_validation(data)

    def _why_not(self, name: str, writable: Iterable[str]) -> str:
        reason = "This field can be read only." if name in self.fields else "There is no such field."
        return f"{reason} Fields to write: {', '.join(sorted(writable)) or 'none'}."
