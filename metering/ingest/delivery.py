"""What passes between the parts of ingest."""

import datetime as dt
from dataclasses import dataclass

from metering.ingest.decoders.measurement import InvalidMessage, Measurement
from metering.ingest.topics import Address


class NotNow(Exception):
    """It could not be stored at this time: keep the batch, acknowledge nothing, try again."""


@dataclass(slots=True, frozen=True)
class Delivery:
    """One message as the broker delivered it."""

    topic: str
    payload: bytes
    received_at: dt.datetime
    connection: int
    """Counts connections: a packet id means nothing on another one."""
    packet_id: int
    qos: int
    is_redelivery: bool
    is_retained: bool


@dataclass(slots=True, frozen=True)
class Accepted:
    """A delivery with a measurement in it. The address is None where the topic names no apartment."""

    delivery: Delivery
    measurement: Measurement
    address: Address | None


@dataclass(slots=True, frozen=True)
class Refused:
    """A delivery that can never be stored."""

    delivery: Delivery
    problem: InvalidMessage


@dataclass(slots=True, frozen=True)
class Ignored:
    """A retained message without a time of its own: an old value from an unknown time."""

    delivery: Delivery


Decoded = Accepted | Refused | Ignored
