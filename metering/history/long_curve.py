"""Power over weeks and years: from quarter hours and days, which are few enough, and stay when readings are gone."""

from collections.abc import Iterator

from django.db.models import F, Max, Min, Sum
from django.db.models.query import QuerySet

from accounts.access import Residence
from metering.history.curve import Bucket, Curve, width, with_gaps
from metering.models import DayTotal, Load
from metering.models.load import QUARTER
from metering.periods import DAY, Period, days_begun

WEEKS = 62 * DAY
"""More is shown by days."""
QUARTER_SECONDS = int(QUARTER.total_seconds())
W_PER_MWH = 3.6
"""mWh / s are 3.6 W."""
PEAK = {"peak": Max("power_max")}


def long_curve(residence: Residence, period: Period) -> Curve:
    """The curve of a household's time: by days where there are many, else by quarter hours."""
    if period.seconds > WEEKS.total_seconds():
        # A local day may have an hour more.
        return with_gaps(int(DAY.total_seconds()), _by_days(residence, period), tolerance=3600)
    step = max(width(period.seconds), QUARTER_SECONDS)
    return with_gaps(step, _by_quarters(residence, period, step))


def quarters_of(residence: Residence, period: Period) -> QuerySet[Load]:
    """The household's quarter hours of that time that have readings."""
    return Load.objects.of(residence.during(*period)).filter(samples__gt=0).order_by()


def _by_quarters(residence: Residence, period: Period, step: int) -> Iterator[Bucket]:
    quarters = quarters_of(residence, period).annotate(bucket=F("quarter") / (step // QUARTER_SECONDS))
    rows = quarters.values_list("bucket").order_by("bucket")
    sums = rows.annotate(low=Min("power_min"), total=Sum(F("power_mean") * F("samples")), number=Sum("samples"), **PEAK)
    for bucket, low, total, number, peak in sums:
        yield bucket * step, float(low), int(total) / int(number), float(peak)


def days_of(residence: Residence, period: Period) -> QuerySet[DayTotal]:
    """The household's days of that time that have readings, in each price band."""
    first, last = days_begun(residence.building, period)
    return DayTotal.objects.of(residence).filter(date__gte=first, date__lt=last, samples__gt=0).order_by()


def _by_days(residence: Residence, period: Period) -> Iterator[Bucket]:
    names = ("energy", "exported", "bridged", "covered")
    sums = days_of(residence, period).values_list("date").annotate(*(Sum(name) for name in names), **PEAK)
    for date, *counted, highest in sums.order_by("date"):
        begin, peak = int(residence.building.midnight(date).timestamp()), float(highest or 0)
        mean = mean_of_days(*counted)
        # A day of lone readings has no time between them.
        yield begin, None, peak if mean is None else mean, peak


def mean_of_days(energy: int | None, exported: int, bridged: int, covered: int) -> float | None:
    """Mean power in W, from mWh and s of the time that is measured; None where none is."""
    return W_PER_MWH * int(energy - exported - bridged) / int(covered) if energy is not None and covered else None
