"""Simulated meters that publish through MQTT as real ones do."""

import datetime as dt
import json
import threading
from collections import Counter
from collections.abc import Callable

import paho.mqtt.client as mqtt

from accounts.models import Apartment
from metering.demo.household import Household, Sample
from metering.ingest.topics import native_topic

QOS = 1
STEP_ASIDE_SECONDS = 60.0


class SimulatedMeter:
    """One apartment's meter."""

    def __init__(self, apartment: Apartment) -> None:
        self.topic = native_topic(apartment.building.slug, apartment.number)
        self._apartment = apartment
        self._household = Household(str(apartment), apartment.building.zone)
        # Published and not heard yet; a steady load makes equal messages, so they are counted.
        self._own: Counter[bytes] = Counter()
        self._silent_until = 0.0

    def message(self, instant: dt.datetime, clock: float) -> bytes | None:
        """What the meter publishes at that instant; None while somebody else speaks for it."""
        if clock < self._silent_until:
            return None
        payload = self._payload(self._household.sample(instant))
        self._own[payload] += 1
        return payload

    def heard(self, payload: bytes, clock: float) -> None:
        """A message on this meter's topic: one that is not its own makes it step aside for a while.

        So that who tries Riser out by hand sees their own reading, and not the next simulated one.
        """
        if self._own[payload] > 0:
            self._own -= Counter([payload])
        else:
            self._silent_until = clock + STEP_ASIDE_SECONDS

    def _payload(self, sample: Sample) -> bytes:
        fields = {
            "voltage": sample.voltage,
            "current": sample.current,
            "power_factor": sample.power_factor,
            "apartment": self._apartment.number,
            "floor": self._apartment.floor,
        }
        return json.dumps(fields).encode()


class Publisher:
    """Publishes the meters' messages; paho's own thread keeps the connection."""

    def __init__(self, client: mqtt.Client, meters: list[SimulatedMeter], clock: Callable[[], float]) -> None:
        self._client = client
        self._meters = {meter.topic: meter for meter in meters}
        self._clock = clock
        self._ready = threading.Event()
        self._refused = ""
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = lambda *_: self._ready.set()

    def wait_until_ready(self, timeout: float) -> str:
        """Empty once connected, else what is in the way."""
        if not self._ready.wait(timeout):
            return "the broker does not answer"
        return self._refused

    def interrupt(self) -> None:
        """Wait no longer."""
        self._ready.set()

    def publish(self, instant: dt.datetime, at_most: int | None) -> int:
        """One round: a message from every meter, in order, `at_most` of them. Returns how many."""
        published = 0
        for topic, meter in self._meters.items():
            payload = meter.message(instant, self._clock()) if at_most is None or published < at_most else None
            if payload is not None:
                self._last = self._client.publish(topic, payload, qos=QOS)
                published += 1
        return published

    def drain(self, timeout: float) -> None:
        """Wait until the broker has acknowledged what was published last."""
        if hasattr(self, "_last"):
            self._last.wait_for_publish(timeout)

    def _on_connect(self, client: mqtt.Client, _data: object, _flags: object, reason: object, _props: object) -> None:
        if getattr(reason, "is_failure", False):
            self._refused = str(reason)
            self._ready.set()
            return
        client.subscribe([(topic, 0) for topic in self._meters])

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        meter = self._meters.get(message.topic)
        if meter and not message.retain:
            meter.heard(bytes(message.payload), self._clock())
