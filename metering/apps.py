from importlib import import_module

from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _


def keep_plans_plain(connection: BaseDatabaseWrapper, **_: object) -> None:
    """PostgreSQL would compile the statement that derives loads for two seconds, to run it in half of one."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off")


class MeteringConfig(AppConfig):
    """What was measured."""

    name = "metering"
    verbose_name = _("Meters and readings")

    def ready(self) -> None:
        import_module("metering.checks")
        connection_created.connect(keep_plans_plain)
