"""The latest reading of a household with its status: what the dashboard and the API show."""

import datetime as dt
from dataclasses import dataclass

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


def power_data(residence: Residence, now: dt.datetime) -> PowerData:
    """What a household may see of its apartment at this moment."""
    latest = Reading.objects.latest_of(residence)
    return PowerData(
        apartment=residence.apartment.number,
        floor=residence.apartment.floor,
        reading=latest,
        age_seconds=age_of(latest, now) if latest else None,
        status=status_for(latest, now),
    )


def iso_utc(instant: dt.datetime) -> str:
    """ISO 8601 in UTC with milliseconds, such as 2026-11-23T08:00:00.123Z."""
    return instant.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
