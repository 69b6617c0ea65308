from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from calls.notices import tellers
        from webhooks import checks, notices, signals  # noqa: F401  (registers them)

        tellers.append(notices.tell)
