"""Stand-ins for what a unit under test is handed: clock, session, store."""

import datetime as dt
from collections.abc import Iterable

from metering.ingest.batch import Batch
from metering.ingest.delivery import Decoded, Delivery, NotNow

NOON = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


class FakeClock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def delivery(
    payload: bytes = b'{"voltage": 230, "current": 2}',
    topic: str = "electricity/house/floor/101",
    *,
    received_at: dt.datetime = NOON,
    connection: int = 1,
    packet_id: int = 1,
    qos: int = 1,
    again: bool = False,
    retained: bool = False,
) -> Delivery:
    """A message as the broker delivers it; `again` for a redelivery."""
    return Delivery(topic, payload, received_at, connection, packet_id, qos, again, retained)


class FakeSession:
    """A broker's session: gives what it was told to give, notes what is acknowledged."""

    def __init__(self) -> None:
        self.waiting: list[Delivery] = []
        self.acknowledged: list[Delivery] = []
        self.subscribed: list[str] = []
        self.is_listening = True
        self.lost_session_at = 0
        self.waited: list[float] = []

    def receive(self, batch: Batch[Delivery], timeout: float) -> None:
        self.waited.append(timeout)
        while self.waiting:
            batch.add(self.waiting.pop(0))

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        self.acknowledged += deliveries

    def subscribe(self, own_topics: Iterable[str]) -> None:
        self.subscribed = list(own_topics)


class FakeStore:
    """A database that can be away."""

    def __init__(self) -> None:
        self.saved: list[Decoded] = []
        self.beats: list[bool] = []
        self.forgotten_before = self.forgotten_when_saving = 0
        self.is_away = False
        self.topics: dict[str, str] = {}

    def save(self, batch: list[Decoded]) -> None:
        self._be_there()
        self.forgotten_when_saving = self.forgotten_before
        self.saved += batch

    def forget_before(self, connection: int) -> None:
        self.forgotten_before = connection

    def beat(self, is_connected: bool) -> None:
        self._be_there()
        self.beats.append(is_connected)

    def farewell(self) -> None:
        self._be_there()

    def meter_topics(self) -> dict[str, str]:
        self._be_there()
        return self.topics

    def _be_there(self) -> None:
        if self.is_away:
            raise NotNow("database is locked")
