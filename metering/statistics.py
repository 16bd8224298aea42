"""Mean and highest power over a time, and how many readings say so."""

import math
from collections.abc import Iterable
from typing import Any, TypedDict

from django.db.models import Avg, Count, F, Max, Sum
from django.db.models.query import QuerySet

from accounts.access import Residence
from metering.long_curve import days_of, is_by_days, mean_of_days, quarters_of
from metering.models import Load, Reading
from metering.models.load import quarter_start
from metering.periods import Period


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

    By days where there are many: mean power is that of the time which is measured then, not of the readings.
    """
    if is_by_days(period):
        return _of_days(residence, period)
    loads = quarters_of(residence, period)
    newest = dict(loads.values_list("meter").annotate(Max("quarter")))
    parts = [statistics(Reading.objects.of(residence.during(*period)).exclude(meter__in=newest))]
    for meter, quarter in newest.items():
        # The newest quarter hour may lack what came since.
        since = quarter_start(quarter)
        settled = quarters_of(residence, Period(period.begin, since))
        parts.append(_of_quarters(settled.filter(meter=meter)))
        parts.append(statistics(Reading.objects.of(residence.during(since, period.end)).filter(meter=meter)))
    return _together(parts)


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
