from django.apps import AppConfig


class UpstreamConfig(AppConfig):
    name = "upstream"
    verbose_name = "ElevenLabs"

    def ready(self) -> None:
        from upstream import checks  # noqa: F401  (registers them)
