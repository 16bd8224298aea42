from importlib import import_module

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """What was measured."""

    name = "metering"
    verbose_name = "Meters and readings"

    def ready(self) -> None:
        import_module("metering.checks")
