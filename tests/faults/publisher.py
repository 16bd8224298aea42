"""Meters that publish fast and know what the broker has acknowledged to them."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from tests.waiting import wait_for

APARTMENTS = ("101", "201", "301")
WINDOW = 1000
Message = tuple[str, bytes]


def topic_of(number: int) -> str:
    """Three apartments take turns."""
    return f"electricity/house/floor/{APARTMENTS[number % len(APARTMENTS)]}"


def reading(number: int, attempt: int) -> Message:
    """A reading told from all others by its power; the voltage tells which attempt at publishing it this is."""
    return topic_of(number), json.dumps({"voltage": attempt, "current": 1, "power": number}).encode()


class Publisher(threading.Thread):
    """Publishes each number's message with QoS 1 until the broker has acknowledged it.

    Where the connection ends before that, the message is published again as a new attempt, because the
    broker cannot know that it is the same. `rate` bounds messages a second.
    """

    def __init__(
        self,
        port: int,
        numbers: Iterable[int],
        message: Callable[[int, int], Message] = reading,
        rate: float = float("inf"),
        qos: int = 1,
    ) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[int, float] = {}
        """When (monotonic seconds) the broker said that it has this number's message."""
        self.interruptions: list[float] = []
        """When the connection to the broker was found to have ended."""
        self._port = port
        self._message = message
        self._rate = rate
        self._qos = qos
        self._waiting = deque((number, 1) for number in numbers)
        self._count = len(self._waiting)
        self._under_way: dict[int, tuple[int, int]] = {}
        self._fault: BaseException | None = None
        self._is_abandoned = False

    def run(self) -> None:
        try:
            while self._waiting and not self._is_abandoned:
                self._publish_while_connected()
        except BaseException as fault:
            self._fault = fault
            raise

    def finish(self, timeout: float = 240.0) -> "Publisher":
        """Itself, when every message is acknowledged."""
        self.join(timeout)
        assert not self.is_alive(), f"{len(self.acknowledged)} of {self._count} acknowledged after {timeout} s"
        assert self._fault is None, self._fault
        return self

    def abandon(self) -> None:
        """Publish no more; the test is over."""
        self._is_abandoned = True
        self.join(20)

    def wait_for(self, count: int) -> None:
        """Until so many are acknowledged."""
        wait_for(lambda: len(self.acknowledged) >= count or self._fault, f"{count} are published", 120)

    def _publish_while_connected(self) -> None:
        client = self._connect()
        began, sent = time.monotonic(), 0
        while (self._waiting or self._under_way) and not self._is_abandoned:
            due = (time.monotonic() - began) * self._rate
            while self._waiting and len(self._under_way) < WINDOW and sent < due:
                self._publish(client)
                sent += 1
            if client.loop(0.01) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self.interruptions.append(time.monotonic())
                break
        client.disconnect()
        self._waiting.extendleft((number, attempt + 1) for number, attempt in reversed(self._under_way.values()))
        self._under_way = {}

    def _connect(self) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(WINDOW)
        client.on_publish = lambda _client, _data, packet_id, *_: self._acknowledge(packet_id)

        def accepted() -> bool:
            try:
                client.connect("127.0.0.1", self._port)
            except OSError:
                return self._is_abandoned
            give_up_at = time.monotonic() + 10
            while not client.is_connected() and time.monotonic() < give_up_at:
                if client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    return False
            return client.is_connected() or self._is_abandoned

        wait_for(accepted, "the broker accepts the publisher", 60)
        return client

    def _publish(self, client: mqtt.Client) -> None:
        number, attempt = self._waiting.popleft()
        topic, payload = self._message(number, attempt)
        info = client.publish(topic, payload, self._qos)
        if self._qos:
            self._under_way[info.mid] = (number, attempt)
        else:
            self.acknowledged[number] = time.monotonic()

    def _acknowledge(self, packet_id: int) -> None:
        if packet_id in self._under_way:
            number, _ = self._under_way.pop(packet_id)
            self.acknowledged[number] = time.monotonic()


def publish(
    port: int, numbers: Iterable[int], message: Callable[[int, int], Message] = reading, timeout: float = 240.0
) -> None:
    """Publish these and come back when the broker has acknowledged them all."""
    publisher = Publisher(port, numbers, message)
    publisher.start()
    publisher.finish(timeout)
