from __future__ import annotations

from django.apps import AppConfig


class CallsiteConfig(AppConfig):
    name = "callsite"

    def ready(self) -> None:
        from callsite import checks  # noqa: F401  (registers them)
