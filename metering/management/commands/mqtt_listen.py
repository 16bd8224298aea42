"""The long-running command that stores every reading."""

import logging
import os
import signal
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from metering.ingest.decoders import Limits
from metering.ingest.listener import BrokerRefused, Listener, build_client
from metering.ingest.loop import Loop
from metering.ingest.notify import notify
from metering.ingest.store import DatabaseStore
from metering.ingest.topics import is_flat

log = logging.getLogger("riser.listener")


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT; exits non-zero at once where the broker refuses the listener."""

    help = "Store every reading that the meters publish over MQTT."
    # Those of the pages would take half of the time that a start takes.
    requires_system_checks: list[str] = ["mqtt"]
    stopping = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--shared", metavar="GROUP", help="share the messages with other listeners of this group")

    def handle(self, *args: Any, shared: str | None = None, **options: Any) -> None:
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        topic = settings.MQTT_TOPIC
        ca_file = settings.MQTT_CA_FILE if settings.MQTT_TLS else None
        client = build_client(settings.MQTT_CLIENT_ID, settings.MQTT_USERNAME, settings.MQTT_PASSWORD, ca_file)
        broker = (settings.MQTT_BROKER, settings.MQTT_PORT)
        listener = Listener(client, *broker, topic, time.monotonic, timezone.now, share=shared or "")
        store = DatabaseStore(settings.MQTT_CLIENT_ID, timezone.now)
        limits = Limits(settings.MAX_VOLTAGE, settings.MAX_CURRENT)
        loop = Loop(listener, store, time.monotonic, topic if is_flat(topic) else "", limits)
        log.info("listening on %s as %s (pid %s)", topic, settings.MQTT_CLIENT_ID, os.getpid())
        notify("READY=1")
        try:
            while not self.stopping:
                loop.step()
                notify(f"WATCHDOG=1\nSTATUS={loop.status}")
        except BrokerRefused as refusal:
            raise CommandError(f"{refusal} Check MQTT_USERNAME, MQTT_PASSWORD and the broker's ACL.") from refusal
        notify("STOPPING=1")
        loop.farewell()
        listener.close()
        log.info("stopped")

    def stop(self, *_: Any) -> None:
        self.stopping = True
