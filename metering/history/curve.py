"""Power over time, thinned out to what a screen can show."""

from collections.abc import Iterable
from typing import TypedDict

from django.db.models import Avg, Max, Min
from django.db.models.query import QuerySet

from metering.models import Reading
from metering.models.instant import BucketStart

# About this many points; widths are those that divide an hour or a day.
POINTS = 400
WIDTHS = (2, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400)


Bucket = tuple[int, float | None, float, float]
"""Unix seconds at which it begins; lowest W, None where it is not kept, mean W and highest W."""


class Curve(TypedDict):
    """Columns for a chart: Unix seconds, lowest, mean and highest W of each bucket; null is a gap.

    The lowest is null as well where only days are kept.
    """

    step: int
    times: list[int]
    low: list[float | None]
    mean: list[float | None]
    peak: list[float | None]


def curve(readings: QuerySet[Reading], seconds: float) -> Curve:
    """The curve of these readings, as fine as fits for so much time. A bucket without a reading is a gap."""
    step = width(seconds)
    rows = (
        readings.order_by()
        .annotate(bucket=BucketStart("taken_at", step))
        .values("bucket")
        .annotate(low=Min("power"), mean=Avg("power"), peak=Max("power"))
        .values_list("bucket", "low", "mean", "peak")
        .order_by("bucket")
    )
    return with_gaps(step, ((int(bucket.timestamp()), *powers) for bucket, *powers in rows))


def with_gaps(step: int, rows: Iterable[Bucket], tolerance: int = 0) -> Curve:
    """The curve of these buckets. One that is missing is a gap.

    A bucket may come that many seconds late.
    """
    result = Curve(step=step, times=[], low=[], mean=[], peak=[])
    for second, low, mean, peak in rows:
        if result["times"] and second - result["times"][-1] > step + tolerance:
            _append(result, result["times"][-1] + step, None, None, None)
        # The highest of all is said beside the curve as exactly as elsewhere.
        _append(result, second, _rounded(low), _rounded(mean), _rounded(peak, 2))
    return result


def _rounded(power: float | None, decimals: int = 1) -> float | None:
    return None if power is None else round(power, decimals)


def _append(result: Curve, second: int, low: float | None, mean: float | None, peak: float | None) -> None:
    result["times"].append(second)
    result["low"].append(low)
    result["mean"].append(mean)
    result["peak"].append(peak)


def width(seconds: float) -> int:
    """How wide a bucket is, in seconds, so that about POINTS show that much time."""
    return next((width for width in WIDTHS if seconds / width <= POINTS), WIDTHS[-1])
