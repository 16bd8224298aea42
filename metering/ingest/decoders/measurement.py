"""What a decoder makes of a payload, or says of it."""

import datetime as dt
from dataclasses import dataclass

import msgspec


class InvalidMessage(Exception):
    """This message will never be right. `code` names the kind for counters, the text says it in words."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """Above these, a reading is a fault and not a load."""

    voltage: float = 1000.0
    """V"""
    current: float = 10_000.0
    """A, in either direction"""


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """What one message says."""

    voltage: float
    """V"""
    current: float
    """A; below zero is export"""
    power: float
    """W; below zero is export"""
    power_factor: float | None = None
    energy_total: float | None = None
    """kWh, the meter's own register"""
    taken_at: dt.datetime | None = None
    """By the meter's clock, UTC; None where it sent no time"""
    apartment: str | None = None
    """The apartment the payload claims"""
