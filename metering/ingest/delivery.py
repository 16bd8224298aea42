"""What passes between the parts of ingest.

Structs, because thousands of them are made each second: they cost a third of a frozen dataclass, and
`gc=False` keeps those that hold plain values only from being searched for cycles.
"""

import datetime as dt

import msgspec

from metering.ingest.decoders.measurement import InvalidMessage, Measurement
from metering.ingest.topics import Address


class NotNow(Exception):
    """It could not be stored at this time: keep the batch, acknowledge nothing, try again."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
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


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A delivery with a measurement in it. The address is None where the topic names no apartment."""

    delivery: Delivery
    measurement: Measurement
    address: Address | None


class Refused(msgspec.Struct, frozen=True):
    """A delivery that can never be stored."""

    delivery: Delivery
    problem: InvalidMessage


class Ignored(msgspec.Struct, frozen=True):
    """A retained message without a time of its own: an old value from an unknown time."""

    delivery: Delivery


Decoded = Accepted | Refused | Ignored
