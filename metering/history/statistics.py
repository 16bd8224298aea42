"""Mean and highest power over a time, and how many readings say so."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypedDict

from django.db.models import Count, Max, Sum
from django.db.models.query import QuerySet

from accounts.access import Residence
from metering.history.long_curve import days_of, mean_of_days, quarters_of
from metering.loads import retained_from
from metering.models import Load, Meter, Reading, meters_of
from metering.models.load import QUARTER, quarter_start
from metering.periods import DAY, Period
from metering.usage import Usage

WEEK = 7 * DAY + DAY / 24
"""Also one in which the clock is set back."""


class Statistics(TypedDict):
    """W, W and when that was, None where only its whole watts are kept; and how many readings there are."""

    average: float | None
    maximum: float | None
    at: dt.datetime | None
    number: int


class Part(NamedTuple):
    """What some of a meter's time says: how many readings, the highest W, and how the reading is found that says so."""

    number: int
    power: float
    find: Callable[[], Reading | None]


def statistics(readings: QuerySet[Reading]) -> Statistics:
    """Of these very readings, which may be any: how long each of them held nobody knows."""
    return _together([_of_readings(readings)], None)


def statistics_of(residence: Residence, period: Period, used: Usage) -> Statistics:
    """Of a household's time: from quarter hours, and from the readings after the newest of these.

    From days for more than a week. Mean power is what was `used` then, over the time that is measured.
    """
    average = mean_of_days(used.energy, used.exported, used.bridged, used.covered)
    if period.seconds > WEEK.total_seconds():
        return _together([_of_days(residence, period)], average)
    return _together((part for meter in meters_of(residence) for part in _of_meter(residence, meter, period)), average)


def _of_meter(residence: Residence, meter: Meter, period: Period) -> Iterator[Part]:
    quarters = quarters_of(residence, period).filter(meter=meter)
    newest = quarters.order_by("-quarter").values_list("quarter").first()
    begin, end = period
    if newest and newest[0] < retained_from():
        # Its readings are gone, and nothing more will come.
        yield _of_quarters(residence, quarters)
        return
    if newest:
        # It may lack what came since.
        begin = max(begin, quarter_start(*newest))
        yield _of_quarters(residence, quarters_of(residence, Period(period.begin, begin)).filter(meter=meter))
    yield _of_readings(Reading.objects.of(residence.during(begin, end)).filter(meter=meter))


def _of_readings(readings: QuerySet[Reading]) -> Part:
    found = readings.aggregate(number=Count("pk"), power=Max("power"))
    return _part(found, lambda: readings.filter(power=found["power"]).order_by("taken_at").first())


def _of_quarters(residence: Residence, quarters: QuerySet[Load]) -> Part:
    found = quarters.aggregate(number=Sum("samples"), power=Max("power_max"))
    return _part(found, lambda: _highest(residence, quarters, found["power"]))


def _highest(residence: Residence, quarters: QuerySet[Load], power: int) -> Reading | None:
    """The reading of the first quarter hour with that power, of which it keeps the whole watts. None where it is gone.

    As the dashboard has it.
    """
    first = quarters.filter(power_max=power).order_by("quarter").values_list("meter", "quarter").first()
    if first is None:
        return None
    meter, begin = first[0], quarter_start(first[1])
    readings = Reading.objects.of(residence.during(begin, begin + QUARTER)).filter(meter=meter)
    highest = readings.order_by("-power", "taken_at").first()
    # One that was saved stays longer than the others.
    return highest if highest and abs(highest.power - power) <= 0.5 else None


def _of_days(residence: Residence, period: Period) -> Part:
    return _part(days_of(residence, period).aggregate(number=Sum("samples"), power=Max("power_max")))


def _part(found: dict[str, Any], find: Callable[[], Reading | None] = lambda: None) -> Part:
    return Part(int(found["number"] or 0), float(found["power"] or 0), find)


def _together(parts: Iterable[Part], average: float | None) -> Statistics:
    known = [part for part in parts if part.number]
    top = max((part.power for part in known), default=0.0)
    # Rounded to whole watts it may be a little less than that, or more.
    highest = [(part.find(), part.power) for part in known if part.power > top - 1]
    powers = [(reading.power, reading.taken_at) if reading else (power, None) for reading, power in highest]
    power, at = max(powers, key=lambda found: found[0], default=(None, None))
    return Statistics(average=average, maximum=power, at=at, number=sum(part.number for part in known))
