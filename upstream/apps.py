from django.apps import AppConfig


class UpstreamConfig(AppConfig):
    name = "upstream"
    verbose_name = "ElevenLabs"

    def ready(self) -> None:
        from upstream import checks, round_metrics  # noqa: F401  (registers them)
