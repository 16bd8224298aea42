"""Power over time, thinned out to what a screen can show."""

import datetime as dt
from typing import TypedDict

from django.db.models import Avg, Max
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
    result = Curve(step=step, times=[], mean=[], peak=[])
    for bucket, mean, peak in rows:
        second = int(bucket.timestamp())
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
