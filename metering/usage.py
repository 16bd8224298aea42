"""Energy and money between two instants: one way to count them, for page, export, comparison and statement.

Whole days come from the totals of days, the rest from quarter hours, the newest ones straight from readings.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple, Self

from django.conf import settings
from django.db.models import OuterRef, Q, Subquery, Sum
from django.utils import timezone

from accounts.access import Residence, Span
from accounts.models import Apartment, Building
from metering.day_totals import SUMMED
from metering.loads import OPEN_QUARTERS, open_loads
from metering.models import DayTotal, Load, Meter, MonthTotal, Rate, Tariff
from metering.models.instant import EPOCH, LATEST
from metering.models.load import quarter_from, quarter_of, quarter_start
from metering.periods import By, Period, cut, days_begun, next_begin, whole_days
from metering.tariffs import Timeline
from metering.week import slot_of

MWH_PER_KWH = 1_000_000
Days = tuple[dt.date, dt.date]
"""Local days from the first up to but excluding the last one."""
LONG = {By.MONTH, By.YEAR}
"""Periods that whole months lie in."""
ENOUGH = 0.99
"""The share of the time that makes a figure count as complete."""


class Figures(NamedTuple):
    """Sums over some time, as in loads: mWh, mWh, mWh, s."""

    energy: int
    exported: int
    bridged: int
    covered: int


@dataclass(frozen=True)
class Subject:
    """Whose usage: some meters, in time that is theirs. `apartments` pay a standing charge each."""

    building: Building
    meters: tuple[Meter, ...]
    spans: tuple[Span, ...] = (Span(EPOCH, None),)
    apartments: int = 1

    @cached_property
    def timeline(self) -> Timeline:
        """The tariffs of its building."""
        return Timeline(self.building)

    @classmethod
    def of_residence(cls, residence: Residence) -> Self:
        """A household, in its own time and no other. Of one meter where it looks at one, while that was there."""
        if residence.meter is None:
            return cls(residence.building, heard_meters(apartment=residence.apartment), residence.spans)
        meters = heard_meters(apartment=residence.apartment, pk=residence.meter)
        # With all of the quarter hour in which it was installed, as when all meters are looked at.
        installed = quarter_start(quarter_of(meters[0].installed_at))
        spans = residence.during(installed, meters[0].removed_at or LATEST).spans
        return cls(residence.building, meters, spans, apartments=0)

    @classmethod
    def of_apartment(cls, apartment: Apartment) -> Self:
        """An apartment, whoever lived there."""
        return cls(apartment.building, heard_meters(apartment=apartment))

    @classmethod
    def of_meter(cls, meter: Meter) -> Self:
        """One meter; without a standing charge, which is an apartment's."""
        return cls(meter.building, (meter,), apartments=0)

    @classmethod
    def of_building(cls, building: Building) -> Self:
        """All apartments of a building together."""
        meters = heard_meters(building=building, apartment__isnull=False)
        return cls(building, meters, apartments=building.apartments.count())


def heard_meters(**conditions: object) -> tuple[Meter, ...]:
    """Those that were ever heard; where an apartment has none of these, the one that should be."""
    # Not just whether there is one: PostgreSQL would look from the table's beginning, and to its end if there is none.
    first_day = Subquery(DayTotal.objects.filter(meter=OuterRef("pk")).order_by("date").values("date")[:1])
    meters = list(Meter.objects.filter(**conditions).annotate(heard=first_day).order_by("installed_at", "pk"))
    homes = {meter.apartment_id for meter in meters if meter.heard}
    return tuple(meter for meter in meters if meter.heard or meter.apartment_id not in homes)


@dataclass
class RateUse:
    """What was used at one rate."""

    tariff: Tariff
    rate: Rate
    energy: int = 0
    """mWh"""

    @property
    def cost(self) -> Decimal:
        """In the tariff's currency, without tax; exact."""
        return Decimal(self.energy) * self.rate.price / MWH_PER_KWH


@dataclass
class Cost:
    """What it costs, in one currency, exact."""

    currency: str
    energy: Decimal = Decimal(0)
    standing: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """With tax."""
        return self.energy + self.standing + self.tax


@dataclass
class Usage:
    """Energy and money of one period. Energies in mWh, times in s."""

    period: Period
    energy: int = 0
    exported: int = 0
    bridged: int = 0
    covered: int = 0
    expected: int = 0
    """How long its meters should have been heard so far."""
    unpriced: int = 0
    """The part of `energy` that no price is known for."""
    rates: dict[int, RateUse] = field(default_factory=dict)
    standing_days: dict[int, tuple[Tariff, int]] = field(default_factory=dict)
    """By tariff: for how many days its standing charge is due, times apartments."""

    @property
    def known(self) -> float | None:
        """The share of the time that readings cover; None where there is no time to cover."""
        return min(1.0, self.covered / self.expected) if self.expected else None

    @property
    def is_complete(self) -> bool:
        """Whether readings cover it, but for a moment."""
        return self.known is None or self.known >= ENOUGH

    @property
    def is_unknown(self) -> bool:
        """Whether nothing at all was heard of that time."""
        return bool(self.expected) and not (self.covered or self.energy or self.exported)

    @cached_property
    def costs(self) -> list[Cost]:
        """By currency, where tariffs had several. For when all is counted in."""
        found: dict[str, Cost] = {}
        for use in self.rates.values():
            self._charge(found, use.tariff, energy=use.cost)
        for tariff, days in self.standing_days.values():
            self._charge(found, tariff, standing=days * tariff.standing_charge)
        return list(found.values())

    @staticmethod
    def _charge(
        found: dict[str, Cost], tariff: Tariff, energy: Decimal = Decimal(0), standing: Decimal = Decimal(0)
    ) -> None:
        cost = found.setdefault(tariff.currency, Cost(tariff.currency))
        cost.energy += energy
        cost.standing += standing
        cost.tax += (energy + standing) * (tariff.tax_rate or 0) / 100

    def add(self, figures: Figures) -> None:
        """Count these in, priced or not."""
        self.energy += figures.energy
        self.exported += figures.exported
        self.bridged += figures.bridged
        self.covered += figures.covered

    def charge(self, days: list[tuple[Tariff, int]], apartments: int) -> None:
        """Count the standing charges of so many apartments in."""
        for tariff, number in days if apartments else ():
            _, before = self.standing_days.get(tariff.id, (tariff, 0))
            self.standing_days[tariff.id] = (tariff, before + number * apartments)

    def price(self, tariff: Tariff | None, rate: Rate | None, energy: int) -> None:
        """Put a price on energy that is counted in."""
        if tariff is None or rate is None:
            self.unpriced += energy
        elif energy:
            self.rates.setdefault(rate.id, RateUse(tariff, rate)).energy += energy


def combine(usages: Sequence[Usage]) -> Usage:
    """Periods that follow each other, or several subjects in one period, as one. An empty one where there are none."""
    if not usages:
        return Usage(Period(EPOCH, EPOCH))
    whole = Usage(Period(usages[0].period.begin, usages[-1].period.end))
    for part in usages:
        whole.add(Figures(part.energy, part.exported, part.bridged, part.covered))
        whole.expected += part.expected
        whole.unpriced += part.unpriced
        for use in part.rates.values():
            whole.price(use.tariff, use.rate, use.energy)
        whole.charge(list(part.standing_days.values()), apartments=1)
    return whole


class Ledger:
    """The usage of one subject in some periods, while it is being counted."""

    def __init__(self, timeline: Timeline, periods: Sequence[Period]) -> None:
        self.timeline = timeline
        self.usages = [Usage(period) for period in periods]
        self._begins = [period.begin for period in periods]
        self._days: dict[dt.date, tuple[Usage, Tariff | None, dict[int, Rate]]] = {}

    def add_day(self, date: dt.date, band: int, figures: Figures) -> None:
        """The total of a day in one band."""
        if date not in self._days:
            self._days[date] = self._at(self.timeline.building.midnight(date)), *self.timeline.prices(date)
        usage, tariff, rates = self._days[date]
        usage.add(figures)
        usage.price(tariff, rates.get(band), figures.energy)

    def add_quarter(self, quarter: int, figures: Figures) -> None:
        """A quarter hour of one meter."""
        begin = quarter_start(quarter)
        usage = self._at(begin)
        usage.add(figures)
        local = begin.astimezone(self.timeline.building.zone)
        tariff, slot = self.timeline.on(local.date()), slot_of(local)
        rates = self.timeline.rates(tariff) if tariff else []
        rate = next((priced.rate for priced in rates if priced.band.hours >> slot & 1), None)
        usage.price(tariff, rate, figures.energy)

    def expect(self, subject: Subject, part: Period, heard_until: dt.datetime) -> None:
        """Time of the subject's own, which it pays for, and for which it should have been heard by then."""
        for usage in self.usages:
            own = usage.period.within(*part)
            if own.seconds:
                usage.expected += expected_seconds(subject.meters, own.within(own.begin, heard_until))
                usage.charge(standing_days(self.timeline, own), subject.apartments)

    def _at(self, instant: dt.datetime) -> Usage:
        return self.usages[max(0, bisect_right(self._begins, instant) - 1)]


def standing_days(timeline: Timeline, own: Period) -> list[tuple[Tariff, int]]:
    """For how many days of that time each tariff's standing charge is due: when a day begins."""
    first, last = days_begun(timeline.building, own)
    found = []
    for tariff in timeline.tariffs:
        days = (min(last, timeline.end_of(tariff) or last) - max(first, tariff.valid_from)).days
        if days > 0 and tariff.standing_charge:
            found.append((tariff, days))
    return found


def expected_seconds(meters: Collection[Meter], period: Period) -> int:
    """For how long these meters should have been heard in that time; time without any meter counts as of one."""
    if len(meters) < 2:
        return period.seconds
    times = [period.within(meter.installed_at, meter.removed_at or period.end) for meter in meters]
    heard, reached = 0, period.begin
    for time in sorted(time for time in times if time.seconds):
        if time.begin > reached:
            heard += Period(reached, time.begin).seconds
        heard += time.seconds
        reached = max(reached, time.end)
    return heard + Period(reached, period.end).seconds


def usage(
    subject: Subject, begin: dt.datetime, end: dt.datetime, by: By = By.ALL, now: dt.datetime | None = None
) -> list[Usage]:
    """What a subject used and what that costs, in local periods, up to now at most.

    Instants are taken to quarter hours: those that begin between the two count.
    """
    now = now or timezone.now()
    ledger = Ledger(subject.timeline, list(cut(subject.building, begin, end, by)))
    days: list[Days] = []
    quarters: list[tuple[int, int]] = []
    for part in _parts(subject, Period(begin, min(end, now))):
        # The newest interval is known only once the next reading is there.
        ledger.expect(subject, part, now - dt.timedelta(seconds=settings.MAX_GAP_SECONDS))
        _divide(subject.building, part, by, now, days, quarters)
    for date, band, figures in _totals(subject, days, by):
        ledger.add_day(date, band, figures)
    for quarter, figures in _loads(subject, quarters, now):
        ledger.add_quarter(quarter, figures)
    return ledger.usages


def _parts(subject: Subject, period: Period) -> Iterator[Period]:
    for span in subject.spans:
        own = period.within(span.since, span.until or period.end)
        if own.seconds:
            yield own


def _divide(
    building: Building, part: Period, by: By, now: dt.datetime, days: list[Days],
    quarters: list[tuple[int, int]],
) -> None:  # fmt: skip
    """What of a part is counted by whole days, and what by quarter hours: hours, rests of days, and the newest."""
    first, last = whole_days(building, part)
    newest = quarter_start(quarter_of(now) - OPEN_QUARTERS).astimezone(building.zone).date()
    last = min(last, newest)
    if by == By.HOUR or first >= last:
        quarters.append((quarter_from(part.begin), quarter_from(part.end)))
        return
    days.append((first, last))
    quarters.append((quarter_from(part.begin), quarter_of(building.midnight(first))))
    quarters.append((quarter_of(building.midnight(last)), quarter_from(part.end)))


def _totals(subject: Subject, days: Sequence[Days], by: By) -> Iterator[tuple[dt.date, int, Figures]]:
    """Of days, or of whole months, on their first day: the tariff and the period are those of all their days."""
    months: list[dt.date] = []
    if by in LONG:
        days = [piece for span in days for month in _by_months(*span) for piece in subject.timeline.split(*month)]
        months = [first for first, last in days if is_month(first, last)]
    wanted = Q(pk__in=[])
    for first, last in days:
        if first not in months:
            wanted |= Q(date__gte=first, date__lt=last)
    totals = MonthTotal.objects.filter(month__in=months, meter__in=subject.meters).order_by()
    for month, band, *sums in totals.values_list("month", "band").annotate(*(Sum(name) for name in SUMMED)):
        yield month, band, Figures(*sums)
    rows = DayTotal.objects.filter(wanted, meter__in=subject.meters).order_by()
    for date, band, *sums in rows.values_list("date", "band").annotate(*(Sum(name) for name in SUMMED)):
        yield date, band, Figures(*sums)


def _loads(subject: Subject, quarters: list[tuple[int, int]], now: dt.datetime) -> Iterator[tuple[int, Figures]]:
    wanted, meters = Q(quarter__in=[]), [meter.pk for meter in subject.meters]
    ranges = [(first, last) for first, last in quarters if first < last]
    for first, last in ranges:
        wanted |= Q(quarter__gte=first, quarter__lt=last)
    reaches_now = any(last > quarter_of(now) - OPEN_QUARTERS for _, last in ranges)
    fresh = open_loads(meters, now) if reaches_now else []
    newest = {load.meter_id: load.quarter for load in reversed(fresh)}
    stored = Load.objects.filter(wanted, meter__in=meters) if ranges else Load.objects.none()
    for meter, quarter, *sums in stored.values_list("meter", "quarter", *SUMMED):
        if quarter < newest.get(meter, quarter + 1):
            yield quarter, Figures(*sums)
    for load in fresh:
        if any(first <= load.quarter < last for first, last in ranges):
            yield load.quarter, Figures(load.energy, load.exported, load.bridged, load.covered)


def _by_months(first: dt.date, last: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    while first < last:
        end = min(next_begin(first, By.MONTH), last)
        yield first, end
        first = end


def is_month(first: dt.date, last: dt.date) -> bool:
    """Whether these days, the last one excluded, are a whole month."""
    return first.day == 1 and last == next_begin(first, By.MONTH)
