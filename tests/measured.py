"""Readings as they come in time, for tests of what is used, and how such tests put times and energy."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import time_machine
from django.utils import timezone

from accounts.models import Building
from metering.loads import derive_new
from metering.models import Meter, Reading

HOUR = dt.timedelta(hours=1)
EVERY = dt.timedelta(minutes=5)


def use(
    meter: Meter, begin: dt.datetime, end: dt.datetime, power: float = 1000.0, every: dt.timedelta = EVERY
) -> None:  # fmt: skip
    """Readings of so many watts from begin to end, derived as if they had come in time."""
    rows, instant = [], begin
    while instant <= end:
        rows.append(Reading(meter=meter, taken_at=instant, voltage=230, current=power / 230, power=power))
        instant += every
    Reading.objects.bulk_create(rows, batch_size=5000)
    with time_machine.travel(min(end + HOUR, timezone.now()), tick=False):
        sum(derive_new())


def local(building: Building, text: str) -> dt.datetime:
    """An instant by the building's clock."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=building.zone).astimezone(dt.UTC)


def kwh(usages: Iterable[Any]) -> list[float]:
    """Of each of these."""
    return [each.energy / 1_000_000 for each in usages]
