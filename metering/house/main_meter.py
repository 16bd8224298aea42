"""A building's main meter beside the sum of the meters behind it."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Sum

from accounts.models import Building
from metering.house.usage import HOUSEKEEPING
from metering.models import DayTotal, Load, Meter
from metering.models.load import QUARTER, quarter_of, quarter_start
from metering.periods import DAY, Period
from metering.usage import ENOUGH

HEARD = ENOUGH * QUARTER.total_seconds()
"""Seconds of a quarter hour that make it count."""
MISSING = QUARTER.total_seconds() - HEARD


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

    A day on which every meter was heard all the time counts by its totals, others by their quarter hours.
    """
    meters = list(Meter.objects.filter(building=building).select_related("apartment__building", "building"))
    if len({meter.is_main for meter in meters}) < 2:
        return None
    result, silent = Balance(), set[int]()
    totals = _totals(meters, first, last)
    for date, day in _days(building, first, last, now):
        result.asked += day.seconds
        found = _Day(day, [meter for meter in meters if _hung_in(meter, day)], totals[date])
        silent.update(meter.pk for meter in found.not_heard(now - HOUSEKEEPING))
        if not found.is_hopeless:
            _add(result, found, is_over=day.end == building.midnight(date + DAY))
    result.silent = [meter for meter in meters if meter.pk in silent]
    return result


@dataclass(frozen=True)
class _Day:
    """A local day, up to now; the meters that hung there at some time of it, and their energy and covered seconds."""

    period: Period
    there: list[Meter]
    totals: dict[int, tuple[int, int]]

    def energy(self, meter: Meter) -> int:
        return self.totals.get(meter.pk, (0, 0))[0]

    def covered(self, meter: Meter) -> int:
        return self.totals.get(meter.pk, (0, 0))[1]

    def not_heard(self, until: dt.datetime) -> list[Meter]:
        """Those that miss more of the time up to then than a quarter hour may."""
        heard = self.period.within(self.period.begin, until)
        known = heard.seconds - MISSING
        return [m for m in self.there if self.covered(m) < known and self.covered(m) < _hung(m, heard) - MISSING]

    @property
    def gappy(self) -> list[Meter]:
        """Those that were not there and heard all day."""
        known = self.period.seconds - MISSING
        return [m for m in self.there if self.covered(m) < known or not _hung_all(m, self.period)]

    @property
    def is_hopeless(self) -> bool:
        """Whether there is no quarter hour in which all were heard."""
        absent = any(not self.covered(meter) and _hung_all(meter, self.period) for meter in self.there)
        return absent or not any(meter.is_main for meter in self.there)


def _days(building: Building, first: dt.date, last: dt.date, now: dt.datetime) -> Iterator[tuple[dt.date, Period]]:
    date = first
    while date < last and building.midnight(date) < now:
        yield date, Period(building.midnight(date), min(building.midnight(date + DAY), now))
        date += DAY


def _totals(meters: Sequence[Meter], first: dt.date, last: dt.date) -> dict[dt.date, dict[int, tuple[int, int]]]:
    """By date and meter, energy and covered seconds."""
    found: defaultdict[dt.date, dict[int, tuple[int, int]]] = defaultdict(dict)
    days = DayTotal.objects.filter(meter__in=meters, date__gte=first, date__lt=last).order_by()
    for date, meter, *sums in days.values_list("date", "meter").annotate(Sum("energy"), Sum("covered")):
        found[date][meter] = (sums[0], sums[1])
    return found


def _hung(meter: Meter, period: Period) -> int:
    """For how many seconds of that time."""
    return period.within(meter.installed_at, meter.removed_at or period.end).seconds


def _hung_in(meter: Meter, period: Period) -> bool:
    return meter.installed_at < period.end and (meter.removed_at is None or meter.removed_at > period.begin)


def _hung_all(meter: Meter, period: Period) -> bool:
    return meter.installed_at <= period.begin and (meter.removed_at is None or meter.removed_at >= period.end)


def _add(result: Balance, day: _Day, *, is_over: bool) -> None:
    """Count in the quarter hours that are past and in which all meters that hung there were heard.

    Who was heard all day counts by the total of the day less the other quarter hours: a hole in one of hundreds of
    meters costs little.
    """
    gappy = day.gappy if is_over else day.there
    steady = set(day.there).difference(gappy)
    quarters = range(quarter_of(day.period.begin), quarter_of(day.period.end))
    common = _common(day, gappy, quarters)
    others = set(quarters) - common.keys()
    left_out = _sums(steady, others)
    if sum(number for number, _ in left_out.values()) < len(steady) * len(others):
        return  # Some are erased: nobody knows any more how much to leave out.
    main, behind = (
        sum(day.energy(meter) for meter in steady if meter.is_main == is_main)
        + sum(energies[is_main] for energies in common.values())
        - left_out[is_main][1]
        for is_main in (True, False)
    )
    result.main += main
    result.behind += behind
    result.compared += len(common) * QUARTER.seconds


def _common(day: _Day, gappy: Sequence[Meter], quarters: range) -> dict[int, Counter[bool]]:
    """The quarter hours in which the main meter hung there, and all of the gappy ones that did were heard.

    With what the main ones of these counted in each, and the others.
    """
    loads = Load.objects.filter(meter__in=gappy, quarter__gte=quarters.start, quarter__lt=quarters.stop)
    rows = loads.filter(covered__gte=HEARD).order_by().values_list("quarter", "meter__is_main")
    heard, energies = Counter[int](), defaultdict[int, Counter[bool]](Counter)
    for quarter, is_main, number, energy in rows.annotate(Count("meter"), Sum("energy")):
        heard[quarter] += number
        energies[quarter][is_main] = energy
    mains = [meter for meter in day.there if meter.is_main]
    # On most days nothing is installed or removed.
    movers = [meter for meter in gappy if not _hung_all(meter, day.period)]
    always = len(gappy) - len(movers)
    found = {}
    for quarter in quarters:
        period = Period(quarter_start(quarter), quarter_start(quarter + 1))
        hanging = always + sum(_hung_in(meter, period) for meter in movers)
        if heard[quarter] >= hanging and any(_hung_in(meter, period) for meter in mains):
            found[quarter] = energies[quarter]
    return found


def _sums(meters: Collection[Meter], quarters: Collection[int]) -> dict[bool, tuple[int, int]]:
    """Of the main meters and of those behind them, the number of loads in these quarter hours and their energy."""
    loads = Load.objects.filter(meter__in=meters, quarter__in=quarters).order_by().values_list("meter__is_main")
    none = {True: (0, 0), False: (0, 0)}
    return none | {
        is_main: (number, energy) for is_main, number, energy in loads.annotate(Count("quarter"), Sum("energy"))
    }
