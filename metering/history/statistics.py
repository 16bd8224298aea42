"""Mean and highest power over a time, and how many readings say so."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, TypedDict

from django.db.models import Avg, Count, F, Max, Sum
from django.db.models.query import QuerySet

from accounts.access import Residence
from metering.history.long_curve import days_of, mean_of_days, quarters_of
from metering.loads import retained_from
from metering.models import Load, Meter, Reading, meters_of
from metering.models.load import quarter_start
from metering.periods import DAY, Period

WEEK = 7 * DAY + DAY / 24
"""Also one in which the clock is set back."""


class Statistics(TypedDict):
    """Of readings: W, W, and how many there are."""

    average: float | None
    maximum: float | None
    number: int


def statistics(readings: QuerySet[Reading]) -> Statistics:
    """Of these very readings."""
    found = readings.aggregate(average=Avg("power"), maximum=Max("power"), number=Count("pk"))
    return Statistics(average=found["average"], maximum=found["maximum"], number=found["number"])


def statistics_of(residence: Residence, period: Period) -> Statistics:
    """Of a household's time: from quarter hours, in whole watts, and from the readings after the newest of these.

    From days for more than a week: mean power is that of the time which is measured then, not of the readings.
    """
    if period.seconds > WEEK.total_seconds():
        return _of_days(residence, period)
    return _together(part for meter in meters_of(residence) for part in _of_meter(residence, meter, period))


def _of_meter(residence: Residence, meter: Meter, period: Period) -> Iterator[Statistics]:
    newest = quarters_of(residence, period).filter(meter=meter).order_by("-quarter").values_list("quarter").first()
    begin, end = period
    if newest and newest[0] < retained_from():
        # Its readings are gone, and nothing more will come.
        yield _of_quarters(quarters_of(residence, period).filter(meter=meter))
        return
    if newest:
        # It may lack what came since.
        begin = max(begin, quarter_start(*newest))
        yield _of_quarters(quarters_of(residence, Period(period.begin, begin)).filter(meter=meter))
    yield statistics(Reading.objects.of(residence.during(begin, end)).filter(meter=meter))


def _of_quarters(loads: QuerySet[Load]) -> Statistics:
    found = loads.aggregate(total=Sum(F("power_mean") * F("samples")), number=Sum("samples"), peak=Max("power_max"))
    return _statistics(int(found["total"]) / int(found["number"]) if found["number"] else None, found)


def _of_days(residence: Residence, period: Period) -> Statistics:
    sums = {name: Sum(name) for name in ("energy", "exported", "bridged", "covered")}
    found = days_of(residence, period).aggregate(**sums, number=Sum("samples"), peak=Max("power_max"))
    return _statistics(mean_of_days(*(found[name] for name in sums)), found)


def _statistics(average: float | None, found: dict[str, Any]) -> Statistics:
    peak, number = found["peak"], int(found["number"] or 0)
    return Statistics(average=average, maximum=None if peak is None else float(peak), number=number)


def _together(parts: Iterable[Statistics]) -> Statistics:
    known = [(part["average"], part["maximum"], part["number"]) for part in parts if part["number"]]
    number = sum(count for _, _, count in known)
    total = math.fsum(mean * count for mean, _, count in known if mean is not None)
    highest = max((peak for _, peak, _ in known if peak is not None), default=None)
    return Statistics(average=total / number if number else None, maximum=highest, number=number)
