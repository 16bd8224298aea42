from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """What was measured."""

    name = "metering"
    verbose_name = "Meters and readings"

    def ready(self) -> None:
        from metering import checks  # noqa: F401 - registers the system checks
