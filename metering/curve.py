"""Power over time, thinned out to what a screen can show."""

import datetime as dt
import math
from collections.abc import Iterable
from typing import TypedDict

from django.db.models import Avg, Count, Max, Sum
from django.db.models.query import QuerySet

from metering.models import Reading
from metering.models.instant import BucketStart

# About this many points; widths are those that divide an hour or a day.
POINTS = 400
WIDTHS = (2, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400)


class Curve(TypedDict):
    """Columns for a chart: Unix seconds, mean W and highest W of each bucket; null is a gap."""

    step: int
    times: list[int]
    mean: list[float | None]
    peak: list[float | None]


class Statistics(TypedDict):
    """Of readings: W, W, and how many there are."""

    average: float | None
    maximum: float | None
    number: int


def curve(readings: QuerySet[Reading], begin: dt.datetime, end: dt.datetime) -> Curve:
    """The curve of these readings from begin to end. A bucket without a reading is a gap."""
    return survey(readings, begin, end)[0]


def survey(readings: QuerySet[Reading], begin: dt.datetime, end: dt.datetime) -> tuple[Curve, Statistics]:
    """The curve of these readings from begin to end, and their statistics, in one pass over them."""
    step = width((end - begin).total_seconds())
    rows = list(
        readings.filter(taken_at__gte=begin, taken_at__lt=end)
        .order_by()
        .annotate(bucket=BucketStart("taken_at", step))
        .values("bucket")
        .annotate(total=Sum("power"), peak=Max("power"), number=Count("pk"))
        .values_list("bucket", "total", "peak", "number")
        .order_by("bucket")
    )
    shown = with_gaps(step, ((int(bucket.timestamp()), total / number, peak) for bucket, total, peak, number in rows))
    number = sum(row[3] for row in rows)
    average = math.fsum(row[1] for row in rows) / number if number else None
    return shown, Statistics(average=average, maximum=max((row[2] for row in rows), default=None), number=number)


def statistics(readings: QuerySet[Reading]) -> Statistics:
    """Of these very readings."""
    found = readings.aggregate(average=Avg("power"), maximum=Max("power"), number=Count("pk"))
    return Statistics(average=found["average"], maximum=found["maximum"], number=found["number"])


def with_gaps(step: int, rows: Iterable[tuple[int, float, float]], tolerance: int = 0) -> Curve:
    """The curve of these buckets: Unix seconds, mean and highest W. One that is missing is a gap.

    A bucket may come that many seconds late.
    """
    result = Curve(step=step, times=[], mean=[], peak=[])
    for second, mean, peak in rows:
        if result["times"] and second - result["times"][-1] > step + tolerance:
            _append(result, result["times"][-1] + step, None, None)
        _append(result, second, round(mean, 1), round(peak, 1))
    return result


def _append(result: Curve, second: int, mean: float | None, peak: float | None) -> None:
    result["times"].append(second)
    result["mean"].append(mean)
    result["peak"].append(peak)


def width(seconds: float) -> int:
    """How wide a bucket is, in seconds, so that about POINTS show that much time."""
    return next((width for width in WIDTHS if seconds / width <= POINTS), WIDTHS[-1])
