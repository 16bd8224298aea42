"""Power over time, thinned out to what a screen can show."""

import datetime as dt
from collections.abc import Iterable
from typing import TypedDict

from django.db.models import Avg, Count, F, Max, Sum
from django.db.models.query import QuerySet

from metering.models import Load, Reading
from metering.models.instant import BucketStart
from metering.models.load import quarter_of

# About this many points; widths are those that divide an hour or a day.
POINTS = 400
QUARTER_SECONDS = 900
WIDTHS = (2, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400)


class Curve(TypedDict):
    """Columns for a chart: Unix seconds, mean W and highest W of each bucket; null is a gap."""

    step: int
    times: list[int]
    mean: list[float | None]
    peak: list[float | None]


def curve(readings: QuerySet[Reading], begin: dt.datetime, end: dt.datetime) -> Curve:
    """The curve of these readings from begin to end. A bucket without a reading is a gap."""
    step = _width((end - begin).total_seconds())
    rows = (
        readings.filter(taken_at__gte=begin, taken_at__lt=end)
        .order_by()
        .annotate(bucket=BucketStart("taken_at", step))
        .values("bucket")
        .annotate(mean=Avg("power"), peak=Max("power"))
        .values_list("bucket", "mean", "peak")
        .order_by("bucket")
    )
    return _with_gaps(step, ((int(bucket.timestamp()), mean, peak) for bucket, mean, peak in rows))


def curve_of_loads(loads: QuerySet[Load], begin: dt.datetime, end: dt.datetime) -> Curve:
    """The same from quarter hours, which are few enough for weeks and years, and are there when readings are gone."""
    step = max(_width((end - begin).total_seconds()), QUARTER_SECONDS)
    rows = (
        _between(loads, begin, end)
        .order_by()
        .annotate(bucket=F("quarter") / (step // QUARTER_SECONDS))
        .values("bucket")
        .annotate(mean=Sum(F("power_mean") * F("samples")) * 1.0 / Sum("samples"), peak=Max("power_max"))
        .values_list("bucket", "mean", "peak")
        .order_by("bucket")
    )
    return _with_gaps(step, ((bucket * step, float(mean), float(peak)) for bucket, mean, peak in rows))


class Statistics(TypedDict):
    """Of readings: W, W, and how many there are."""

    average: float | None
    maximum: float | None
    number: int


def statistics(readings: QuerySet[Reading]) -> Statistics:
    """Of these very readings."""
    found = readings.aggregate(average=Avg("power"), maximum=Max("power"), number=Count("pk"))
    return Statistics(average=found["average"], maximum=found["maximum"], number=found["number"])


def statistics_of_loads(loads: QuerySet[Load], begin: dt.datetime, end: dt.datetime) -> Statistics:
    """Of the readings that these quarter hours were derived from."""
    found = _between(loads, begin, end).aggregate(
        total=Sum(F("power_mean") * F("samples")), maximum=Max("power_max"), number=Sum("samples")
    )
    number = found["number"] or 0
    average = float(found["total"]) / number if number else None
    return Statistics(average=average, maximum=found["maximum"], number=number)


def _between(loads: QuerySet[Load], begin: dt.datetime, end: dt.datetime) -> QuerySet[Load]:
    return loads.filter(quarter__gte=quarter_of(begin), quarter__lt=quarter_of(end), samples__gt=0)


def _with_gaps(step: int, rows: Iterable[tuple[int, float, float]]) -> Curve:
    result = Curve(step=step, times=[], mean=[], peak=[])
    for second, mean, peak in rows:
        if result["times"] and second - result["times"][-1] > step:
            _append(result, result["times"][-1] + step, None, None)
        _append(result, second, round(mean, 1), round(peak, 1))
    return result


def _append(result: Curve, second: int, mean: float | None, peak: float | None) -> None:
    result["times"].append(second)
    result["mean"].append(mean)
    result["peak"].append(peak)


def _width(seconds: float) -> int:
    return next((width for width in WIDTHS if seconds / width <= POINTS), WIDTHS[-1])
