"""Meters for a building that has none yet."""

import signal
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from paho.mqtt.enums import CallbackAPIVersion

from accounts.models import DEFAULT_BUILDING, Apartment
from metering.demo.meters import Publisher, SimulatedMeter


class Command(BaseCommand):
    """Publishes until SIGTERM or SIGINT, or until --count messages are acknowledged."""

    help = "Publish plausible readings of a building's apartments over MQTT, QoS 1."
    # Those of the pages would take half of the time that a start takes.
    requires_system_checks: list[str] = ["mqtt"]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--building", default=DEFAULT_BUILDING, metavar="SLUG")
        parser.add_argument("--apartments", type=int, metavar="N", help="only the first N")
        parser.add_argument("--interval", type=float, default=2.0, metavar="SECONDS", help="between two readings")
        parser.add_argument("--count", type=int, metavar="MESSAGES", help="stop after so many messages")

    def handle(self, *args: Any, **options: Any) -> None:
        apartments = Apartment.objects.filter(building__slug=options["building"]).select_related("building")
        meters = [SimulatedMeter(apartment) for apartment in apartments[: options["apartments"]]]
        if not meters:
            raise CommandError(f"There is no building {options['building']} with apartments. Try load_demo.")
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        if settings.MQTT_USERNAME:
            client.username_pw_set(settings.MQTT_USERNAME, settings.MQTT_PASSWORD)
        if settings.MQTT_TLS:
            client.tls_set(settings.MQTT_CA_FILE or None)
        publisher = Publisher(client, meters, time.monotonic)
        stop = threading.Event()

        def end(*_: Any) -> None:
            stop.set()
            publisher.interrupt()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        client.connect_async(settings.MQTT_BROKER, settings.MQTT_PORT)
        client.loop_start()
        problem = publisher.wait_until_ready(timeout=30)
        if problem:
            raise CommandError(f"No connection to {settings.MQTT_BROKER}:{settings.MQTT_PORT}: {problem}.")
        self.stdout.write(f"{len(meters)} meters publish every {options['interval']:g} s")
        self.stdout.flush()
        left = options["count"]
        while not stop.is_set() and left != 0:
            published = publisher.publish(timezone.now(), left)
            left = None if left is None else left - published
            if left != 0:
                stop.wait(options["interval"])
        publisher.drain(timeout=3)
        client.disconnect()
        client.loop_stop()
