"""A building's main meter beside the sum of the meters behind it."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Q, Sum

from accounts.models import Building
from metering.models import DayTotal, Load, Meter
from metering.models.load import QUARTER, quarter_start
from metering.periods import DAY, Period
from metering.tariffs import day_quarters
from metering.usage import ENOUGH, expected_seconds


@dataclass
class Balance:
    """What both sides counted in the time in which all of their meters were heard. Energies in mWh."""

    main: int = 0
    behind: int = 0
    compared: int = 0
    """Seconds that count."""
    asked: int = 0
    """Seconds that were asked for and are past."""
    silent: list[Meter] = field(default_factory=list)
    """Meters that were not heard for some of the time, which does not count then."""

    @property
    def difference(self) -> int:
        """Losses, and what nobody measures, in mWh; below zero the meters behind counted more."""
        return self.main - self.behind

    @property
    def share(self) -> float | None:
        """The difference in parts of what the main meter counted."""
        return self.difference / self.main if self.main else None

    @property
    def percent(self) -> float:
        """The same in per cent."""
        return 100 * (self.share or 0.0)

    @property
    def hours(self) -> float:
        """Hours that count."""
        return self.compared / 3600

    @property
    def asked_hours(self) -> float:
        """Hours that were asked for and are past."""
        return self.asked / 3600


def balance(building: Building, first: dt.date, last: dt.date, now: dt.datetime) -> Balance | None:
    """Over the local days from the first up to but excluding the last one; None where no meter is the main one.

    A day on which every meter was heard counts as a whole, others by their quarter hours.
    """
    meters = list(Meter.objects.filter(building=building).select_related("apartment__building", "building"))
    mains, behind = [m for m in meters if m.is_main], [m for m in meters if not m.is_main]
    if not mains or not behind:
        return None
    result = Balance()
    silent: set[int] = set()
    for date, day in _days(building, first, last, now):
        result.asked += day.seconds
        totals = _totals(meters, date)
        covered = {m.pk: totals.get(m.pk, (0, 0))[1] for m in meters}
        silent |= {m.pk for m in meters if covered[m.pk] < ENOUGH * _hung(m, day)}
        there = [m for m in meters if _hung(m, day)]
        if not any(m.is_main for m in there) or any(_hangs_all(m, day) and not covered[m.pk] for m in there):
            continue  # never all at once
        if all(_hangs_all(m, day) and covered[m.pk] >= ENOUGH * day.seconds for m in there):
            result.main += sum(totals[m.pk][0] for m in there if m.is_main)
            result.behind += sum(totals[m.pk][0] for m in there if not m.is_main)
            result.compared += day.seconds
        else:
            _add_quarters(result, mains, behind, building, date)
    result.silent = [meter for meter in meters if meter.pk in silent]
    return result


def _days(building: Building, first: dt.date, last: dt.date, now: dt.datetime) -> Iterator[tuple[dt.date, Period]]:
    date = first
    while date < last and building.midnight(date) < now:
        yield date, Period(building.midnight(date), min(building.midnight(date + DAY), now))
        date += DAY


def _totals(meters: Sequence[Meter], date: dt.date) -> dict[int, tuple[int, int]]:
    rows = DayTotal.objects.filter(meter__in=meters, date=date).order_by().values_list("meter")
    return {meter: (energy, covered) for meter, energy, covered in rows.annotate(Sum("energy"), Sum("covered"))}


def _hangs_all(meter: Meter, period: Period) -> bool:
    return period.within(meter.installed_at, meter.removed_at or period.end) == period


def _hung(meter: Meter, period: Period) -> int:
    return period.within(meter.installed_at, meter.removed_at or period.end).seconds


def _add_quarters(
    result: Balance, mains: Sequence[Meter], behind: Sequence[Meter], building: Building, date: dt.date
) -> None:
    begin, end = day_quarters(building, date)
    heard = Load.objects.filter(quarter__gte=begin, quarter__lt=end, covered__gte=ENOUGH * QUARTER.total_seconds())
    sides = []
    for meters in (mains, behind):
        rows = heard.filter(Q(meter__in=meters)).order_by().values_list("quarter")
        sides.append({quarter: rest for quarter, *rest in rows.annotate(Count("meter"), Sum("energy"))})
    day = Period(quarter_start(begin), quarter_start(end))
    # On most days nothing is installed or removed.
    steady = [len(meters) if all(_hangs_all(m, day) for m in meters) else None for meters in (mains, behind)]
    for quarter in sides[0].keys() & sides[1].keys():
        (main_count, main), (behind_count, energy) = sides[0][quarter], sides[1][quarter]
        period = Period(quarter_start(quarter), quarter_start(quarter + 1))
        if main_count >= (steady[0] or _hanging(mains, period)) and behind_count >= (
            steady[1] or _hanging(behind, period)
        ):
            result.main += main
            result.behind += energy
            result.compared += period.seconds


def _hanging(meters: Sequence[Meter], period: Period) -> float:
    """How many meters should have been heard in that quarter hour."""
    return expected_seconds(meters, period) / period.seconds
