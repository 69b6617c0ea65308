from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"
    verbose_name = "Calls"

    def ready(self) -> None:
        from calls import recordings, redaction, zone  # noqa: F401  (receivers that remove files, and system checks)
