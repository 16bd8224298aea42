"""The broker that `make run` starts where MQTT_BROKER names none."""

import asyncio
import logging
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT. For trying Riser out: it keeps nothing over a restart."""

    help = "Run a small MQTT broker on loopback, for trying Riser out."
    # Those of the pages would take half of the time that a start takes.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        # Not at the top: an installation does not have amqtt, and still lists its commands.
        try:
            errors, embedded = import_module("amqtt.errors"), import_module("metering.embedded_broker")
        except ImportError as error:
            raise CommandError(
                "The embedded broker is not installed: pip install --require-hashes -r requirements/demo.txt"
            ) from error
        # Its errors are raised as well; here they become one line.
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.WARNING)
        try:
            asyncio.run(self.serve(embedded.build_broker))
        except errors.BrokerError as error:
            raise CommandError(
                f"Port {settings.MQTT_PORT} is taken: choose another with MQTT_PORT. ({error})"
            ) from error

    async def serve(self, build_broker: Callable[..., Any]) -> None:
        broker = build_broker(
            settings.MQTT_PORT, settings.MQTT_USERNAME, settings.MQTT_PASSWORD, settings.MQTT_CLIENT_ID
        )
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await broker.start()
        self.stdout.write(f"MQTT broker on 127.0.0.1:{settings.MQTT_PORT}")
        self.stdout.flush()
        await stop.wait()
        await broker.shutdown()
