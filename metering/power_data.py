"""The latest reading of a household with its status: what the dashboard and the API show."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from accounts.access import Residence
from metering.models import Reading
from metering.status import Status, age_of, status_for


@dataclass(frozen=True)
class PowerData:
    """The latest reading; its fields are None where there is none yet."""

    apartment: str
    floor: str
    reading: Reading | None
    age_seconds: float | None
    status: Status

    def as_json(self) -> dict[str, Any]:
        """The contract's fields."""
        reading = self.reading
        return {
            "apartment": self.apartment,
            "floor": self.floor,
            "voltage": reading.voltage if reading else None,
            "current": reading.current if reading else None,
            "power": round(reading.power, 3) if reading else None,
            "timestamp": iso_utc(reading.taken_at) if reading else None,
            "age_seconds": None if self.age_seconds is None else round(self.age_seconds, 1),
            "status": self.status.as_json(),
        }


def power_data(residence: Residence, now: dt.datetime) -> PowerData:
    """What a household may see of its apartment at this moment."""
    latest = Reading.objects.latest_of(residence)
    return data_of(residence, latest, now, status_for(latest, now))


def data_of(residence: Residence, reading: Reading | None, now: dt.datetime, status: Status) -> PowerData:
    """The same of this reading, which is the household's own."""
    return PowerData(
        apartment=residence.apartment.number,
        floor=residence.apartment.floor,
        reading=reading,
        age_seconds=age_of(reading, now) if reading else None,
        status=status,
    )


def iso_utc(instant: dt.datetime) -> str:
    """ISO 8601 in UTC with milliseconds, such as 2026-11-23T08:00:00.123Z."""
    return instant.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
