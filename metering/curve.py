"""Power over time, thinned out to what a screen can show."""

from collections.abc import Iterable
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


def curve(readings: QuerySet[Reading], seconds: float) -> Curve:
    """The curve of these readings, as fine as fits for so much time. A bucket without a reading is a gap."""
    step = width(seconds)
    rows = (
        readings.order_by()
        .annotate(bucket=BucketStart("taken_at", step))
        .values("bucket")
        .annotate(mean=Avg("power"), peak=Max("power"))
        .values_list("bucket", "mean", "peak")
        .order_by("bucket")
    )
    return with_gaps(step, ((int(bucket.timestamp()), mean, peak) for bucket, mean, peak in rows))


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
