"""Voltage over time, and for how long it was outside its band: 230 V +- 10 %, as EN 50160 has it."""

from typing import NamedTuple, TypedDict

from django.db.models import Avg, Count, F, Max, Min, Q, Sum
from django.db.models.query import QuerySet

from accounts.access import Residence
from metering.history.curve import width
from metering.history.long_curve import QUARTER_SECONDS, quarters_of
from metering.history.lookback import ONE_DAY
from metering.models import Load, Reading, meters_of
from metering.models.instant import BucketStart
from metering.periods import Period

NOMINAL, LOW, HIGH = 230, 207, 253
"""V"""
TENTHS = 10
"""Loads keep tenths of a volt."""
Bucket = tuple[int, float, float, float]
"""Unix seconds at which it begins; lowest, mean and highest voltage."""


class VoltageCurve(TypedDict):
    """Columns for a chart: Unix seconds, and the lowest, mean and highest V of each bucket; null is a gap."""

    step: int
    times: list[int]
    low: list[float | None]
    mean: list[float | None]
    high: list[float | None]


def voltage_curve(residence: Residence, period: Period) -> VoltageCurve:
    """A household's voltage, as fine as fits: from readings for a day, else from quarter hours."""
    if period.seconds <= ONE_DAY.total_seconds():
        found = _by_readings(residence, period)
        if found["times"]:
            return found
    # Also of a day whose readings are gone.
    return _by_quarters(residence, period)


def _by_readings(residence: Residence, period: Period) -> VoltageCurve:
    step = width(period.seconds)
    buckets = Reading.objects.of(residence.during(*period)).order_by().annotate(bucket=BucketStart("taken_at", step))
    rows = buckets.values_list("bucket").annotate(low=Min("voltage"), mean=Avg("voltage"), high=Max("voltage"))
    return _with_gaps(step, [(int(bucket.timestamp()), *volts) for bucket, *volts in rows.order_by("bucket")])


def _by_quarters(residence: Residence, period: Period) -> VoltageCurve:
    step = max(width(period.seconds), QUARTER_SECONDS)
    buckets = _known(residence, period).annotate(bucket=F("quarter") / (step // QUARTER_SECONDS))
    sums = {"total": Sum(F("voltage_mean") * F("samples")), "number": Sum("samples")}
    rows = buckets.values_list("bucket").annotate(low=Min("voltage_min"), high=Max("voltage_max"), **sums)
    found = [
        (bucket * step, low / TENTHS, int(total) / int(number) / TENTHS, high / TENTHS)
        for bucket, low, high, total, number in rows.order_by("bucket")
    ]
    return _with_gaps(step, found)


def _with_gaps(step: int, rows: list[Bucket]) -> VoltageCurve:
    result = VoltageCurve(step=step, times=[], low=[], mean=[], high=[])
    for second, *volts in rows:
        if result["times"] and second - result["times"][-1] > step:
            _append(result, result["times"][-1] + step, None, None, None)
        _append(result, second, *(round(value, 1) for value in volts))
    return result


def _append(result: VoltageCurve, second: int, *volts: float | None) -> None:
    result["times"].append(second)
    result["low"].append(volts[0])
    result["mean"].append(volts[1])
    result["high"].append(volts[2])


class Quality(NamedTuple):
    """A household's voltage in some time, by quarter hours: those with readings, and those outside of the band."""

    low: float
    mean: float
    high: float
    quarters: int
    touched: int
    """In which it was outside for a moment at least."""
    outside: int
    """In which its mean was outside."""


def quality(residence: Residence, period: Period) -> Quality | None:
    """What one may say of the voltage in that time; None where nothing is known. Of several meters, of all of them."""
    low, high = LOW * TENTHS, HIGH * TENTHS
    # Of one meter a quarter hour is one row anyway, which is counted in half the time.
    several = len(meters_of(residence)) > 1
    touched = Q(voltage_min__lt=low) | Q(voltage_max__gt=high)
    outside = Q(voltage_mean__lt=low) | Q(voltage_mean__gt=high)
    found = _known(residence, period).aggregate(
        low=Min("voltage_min"),
        mean=Sum(F("voltage_mean") * F("samples")),
        samples=Sum("samples"),
        high=Max("voltage_max"),
        quarters=Count("quarter", distinct=several),
        touched=Count("quarter", distinct=several, filter=touched),
        outside=Count("quarter", distinct=several, filter=outside),
    )
    if not found["quarters"]:
        return None
    mean = int(found["mean"]) / int(found["samples"])
    return Quality(
        low=found["low"] / TENTHS,
        mean=mean / TENTHS,
        high=found["high"] / TENTHS,
        quarters=found["quarters"],
        touched=found["touched"],
        outside=found["outside"],
    )


def _known(residence: Residence, period: Period) -> QuerySet[Load]:
    return quarters_of(residence, period).filter(voltage_mean__isnull=False)
