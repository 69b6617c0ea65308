from django.apps import AppConfig


class UpstreamConfig(AppConfig):
    name = "upstream"
    verbose_name = "ElevenLabs"

    def ready(self) -> None:
        from calls.silence import asked_first
        from upstream import checks, round_metrics  # noqa: F401  (registers checks and metrics)
        from upstream.silent_calls import ask_of

        asked_first.append(ask_of)
