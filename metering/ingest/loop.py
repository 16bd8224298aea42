"""One step of the listener: take -> decode -> store -> acknowledge.

Knows neither paho nor the ORM: session and store are handed in.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from metering.ingest.batch import Batch
from metering.ingest.decoders import DECODERS, NATIVE, Decoder, InvalidMessage, Limits
from metering.ingest.delivery import Accepted, Decoded, Delivery, Ignored, NotNow, Refused
from metering.ingest.topics import Address, is_level, parse_native, printable

log = logging.getLogger("riser.listener")

BEAT_SECONDS = 5.0
RETRY_SECONDS = 1.0
# A transaction costs as much for one reading as for a hundred. With a steady stream they begin at least this far
# apart, which keeps processor and disk idle most of the time; a reading that comes alone never waits.
PACE_SECONDS = 0.02


class Session(Protocol):
    """What the loop needs of the connection to the broker."""

    @property
    def is_listening(self) -> bool: ...

    @property
    def lost_session_at(self) -> int: ...

    def receive(self, batch: Batch[Delivery], timeout: float) -> None: ...

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None: ...

    def subscribe(self, own_topics: Iterable[str]) -> None: ...


class Store(Protocol):
    """What the loop needs of the database."""

    def save(self, batch: list[Decoded]) -> None: ...

    def forget_before(self, connection: int) -> None: ...

    def beat(self, is_connected: bool) -> None: ...

    def farewell(self) -> None: ...

    def meter_topics(self) -> Mapping[str, str]: ...


class Loop:
    """Carries deliveries from the broker into the store. `step` is all there is to call."""

    def __init__(
        self, session: Session, store: Store, clock: Callable[[], float], flat_topic: str, limits: Limits
    ) -> None:
        self._session = session
        self._store = store
        self._clock = clock
        self._flat_topic = flat_topic
        self._limits = limits
        self._batch: Batch[Delivery] = Batch(clock)
        self._decoders: Mapping[str, str] | None = None
        self._was_connected = False
        self._next_beat = 0.0
        self._next_store = 0.0
        self._retry_at: float | None = None

    def step(self, patience: float = 1.0) -> None:
        """Take what the broker has, waiting up to `patience` seconds for it; store and acknowledge it."""
        self._session.receive(self._batch, min(patience, max(0.0, self._next_asking - self._clock())))
        # Even without a database: a broker that lost the session keeps nothing for who has not subscribed.
        self._session.subscribe(self._decoders or ())
        if self._may_ask_database() and (self._batch.is_due or self._clock() >= self._next_store):
            self.flush()
        if self._may_ask_database():
            self._beat()

    def flush(self) -> None:
        """Store what was received and acknowledge it."""
        self._next_store = self._clock() + PACE_SECONDS
        try:
            # First: what came on a new session must not meet the journal of the old one.
            self._store.forget_before(self._session.lost_session_at)
            for chunk in self._batch.chunks():
                decoders = self._known_decoders()
                self._store.save([self.decode(delivery, decoders) for delivery in chunk])
                self._session.acknowledge(chunk)
                self._database_back()
        except NotNow as error:
            self._database_away(error)

    @property
    def _next_asking(self) -> float:
        """When the database is to be asked again, should nothing more come."""
        if self._retry_at is not None:
            return self._retry_at
        return min(self._next_beat, self._next_store) if self._batch else self._next_beat

    def _may_ask_database(self) -> bool:
        """Whether it was there when last asked, or long enough has passed since."""
        return self._retry_at is None or self._clock() >= self._retry_at

    @property
    def status(self) -> str:
        """One line for the operator."""
        broker = "connected to the broker" if self._session.is_listening else "waiting for the broker"
        return f"{broker}; database not available" if self._retry_at is not None else broker

    def farewell(self) -> None:
        """Store what is in hand and say that this is a stop and not a fault, unless the database is away."""
        if self._retry_at is not None:
            return
        self.flush()
        try:
            self._store.farewell()
        except NotNow as error:
            self._database_away(error)

    def decode(self, delivery: Delivery, decoders: Mapping[str, str]) -> Decoded:
        """What the delivery means, given the decoder of each meter with a topic of its own.

        Never raises for what a meter may send.
        """
        topic = delivery.topic
        try:
            decoder = _decoder(decoders.get(topic, NATIVE))
            measurement = decoder(delivery.payload, delivery.received_at, self._limits)
            if delivery.is_retained and measurement.taken_at is None:
                return Ignored(delivery)
            return Accepted(delivery, measurement, _address(topic, measurement.apartment, decoders, self._flat_topic))
        except InvalidMessage as problem:
            return Refused(delivery, problem)

    def _beat(self) -> None:
        """Now and then, and when the connection changes: a heartbeat, and topics of new meters."""
        connected = self._session.is_listening
        if connected == self._was_connected and self._clock() < self._next_beat:
            return
        self._next_beat = self._clock() + BEAT_SECONDS
        try:
            self._store.beat(connected)
            self._decoders = self._store.meter_topics()
        except NotNow as error:
            self._database_away(error)
        else:
            self._was_connected = connected
            self._database_back()

    def _known_decoders(self) -> Mapping[str, str]:
        """Never empty for want of asking: what waited at the broker may come before the first beat."""
        if self._decoders is None:
            self._decoders = self._store.meter_topics()
        return self._decoders

    def _database_away(self, error: NotNow) -> None:
        if self._retry_at is None:
            log.error("database not available (%s): keeping readings and trying again", error)
        self._retry_at = self._clock() + RETRY_SECONDS

    def _database_back(self) -> None:
        if self._retry_at is not None:
            log.info("database available again")
        self._retry_at = None


def _decoder(name: str) -> Decoder:
    if name not in DECODERS:
        raise InvalidMessage("unknown_decoder", f"This version of Riser has no decoder {name}.")
    return DECODERS[name]


def _address(topic: str, claimed: str | None, own_topics: Mapping[str, str], flat_topic: str) -> Address | None:
    """Whose reading it is: the topic alone says so, except on a flat topic. None: a meter's own topic."""
    if topic == flat_topic:
        if claimed is None:
            raise InvalidMessage("missing", "apartment is missing; on a flat topic the payload must name it.")
        return _known_form(Address(None, claimed))
    address = parse_native(topic)
    if address is None:
        if topic in own_topics:
            return None
        raise InvalidMessage("unknown_topic", "No meter is registered for this topic.")
    if claimed is not None and claimed != address.apartment:
        said, named = printable(claimed[:32]), printable(address.apartment[:32])
        raise InvalidMessage("contradiction", f"The payload says apartment {said}, the topic says {named}.")
    return _known_form(address)


def _known_form(address: Address) -> Address:
    if address.building is not None and not is_level(address.building):
        raise InvalidMessage("unknown_building", f"There is no building {printable(address.building[:32])}.")
    if not is_level(address.apartment):
        raise InvalidMessage("unknown_apartment", f"There is no apartment {printable(address.apartment[:32])}.")
    return address
