"""Power over weeks and years: from quarter hours and days, which are few enough, and stay when readings are gone."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import F, Max, Sum

from accounts.access import Residence
from metering.curve import Curve, Statistics, width, with_gaps
from metering.models import DayTotal, Load
from metering.models.load import QUARTER, quarter_of
from metering.periods import DAY, Period, days_begun

WEEKS = 62 * DAY
"""More is shown by days."""
QUARTER_SECONDS = int(QUARTER.total_seconds())
W_PER_MWH = 3.6
"""mWh / s are 3.6 W."""


class _Bucket(NamedTuple):
    """Unix seconds, W, W; the weight of the mean, and the number of readings."""

    begin: int
    mean: float
    peak: float
    weight: float
    number: int


def long_survey(residence: Residence, period: Period) -> tuple[Curve, Statistics]:
    """The curve of a household's time, and its statistics, in one pass.

    Mean power is that of the readings; by days, that of the time which is measured.
    """
    if period.seconds > WEEKS.total_seconds():
        step, buckets = int(DAY.total_seconds()), list(_days(residence, period))
    else:
        step = max(width(period.seconds), QUARTER_SECONDS)
        buckets = list(_quarters(residence, period, step))
    weight = math.fsum(bucket.weight for bucket in buckets)
    statistics = Statistics(
        average=math.fsum(bucket.mean * bucket.weight for bucket in buckets) / weight if weight else None,
        maximum=max((bucket.peak for bucket in buckets), default=None),
        number=sum(bucket.number for bucket in buckets),
    )
    # A local day may have an hour more.
    tolerance = 3600 if step == DAY.total_seconds() else 0
    return with_gaps(step, (bucket[:3] for bucket in buckets), tolerance), statistics


def _quarters(residence: Residence, period: Period, step: int) -> Iterator[_Bucket]:
    begin, end = quarter_of(period.begin), quarter_of(period.end)
    loads = Load.objects.of(residence).filter(quarter__gte=begin, quarter__lt=end, samples__gt=0).order_by()
    rows = loads.annotate(bucket=F("quarter") / (step // QUARTER_SECONDS)).values_list("bucket")
    sums = rows.annotate(
        total=Sum(F("power_mean") * F("samples")), peak=Max("power_max"), number=Sum("samples")
    ).order_by("bucket")
    for bucket, total, peak, number in sums:
        yield _Bucket(bucket * step, int(total) / int(number), float(peak), float(number), int(number))


def _days(residence: Residence, period: Period) -> Iterator[_Bucket]:
    first, last = days_begun(residence.building, period)
    days = DayTotal.objects.of(residence).filter(date__gte=first, date__lt=last, samples__gt=0).order_by()
    names = ("energy", "exported", "bridged", "covered", "samples")
    rows = days.values_list("date").annotate(*(Sum(name) for name in names), Max("power_max")).order_by("date")
    for date, energy, exported, bridged, covered, number, peak in rows:
        begin = int(residence.building.midnight(date).timestamp())
        # A day of lone readings has no time between them.
        mean = W_PER_MWH * int(energy - exported - bridged) / int(covered) if covered else float(peak or 0)
        yield _Bucket(begin, mean, float(peak or 0), float(covered), int(number))
