"""What a household asks first: today, yesterday, this month and how it will end, and a year ago."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from accounts.access import Residence
from metering.models import Tariff
from metering.periods import DAY, By, Period, a_year_before, next_begin
from metering.usage import Cost, Subject, Usage, combine, usage

TYPICAL_DAYS = 28
FEWEST_DAYS = 7


@dataclass(frozen=True)
class Projection:
    """What this month may come to: what is known up to yesterday, and days as the last ones were for the rest.

    What nobody measured up to yesterday counts like the rest. Never less than what is counted already. Energy in mWh.
    """

    energy: int
    costs: list[Cost]
    days: int
    """Complete days, of the last TYPICAL_DAYS, that the rest of the month is taken to be like on average."""
    remaining: int
    unmeasured: float = 0
    """Seconds up to yesterday that count like them as well."""


@dataclass(frozen=True)
class Overview:
    """A household's energy and money. None where the time is not its own, or nothing is known of it."""

    today: Usage
    yesterday: Usage | None
    month: Usage
    projection: Projection | None
    year_ago: Usage | None
    """From the first of this month to this day and time, a year ago."""


def overview(residence: Residence, now: dt.datetime) -> Overview:
    """The figures of this moment. After moving out, of the last day of the household's own."""
    subject, building = Subject.of_residence(residence), residence.building
    last = min(now, residence.until - dt.timedelta(microseconds=1)) if residence.until else now
    today = last.astimezone(building.zone).date()
    first, tomorrow = today.replace(day=1), today + DAY
    begin = min(first, today - TYPICAL_DAYS * DAY)
    days = usage(subject, building.midnight(begin), building.midnight(tomorrow), By.DAY, now)
    month = [day for day in days if day.period.begin >= building.midnight(first)]
    recent = days[-1 - TYPICAL_DAYS : -1]
    return Overview(
        today=days[-1],
        yesterday=_if_known(days[-2]),
        month=combine(month),
        projection=_project(month, recent, _remaining(residence, today), subject.timeline.on(today)),
        year_ago=_year_ago(residence, subject, last, now),
    )


def _if_known(found: Usage) -> Usage | None:
    return found if found.expected and not found.is_unknown else None


def _remaining(residence: Residence, today: dt.date) -> int:
    """The days of this month that are left, today among them, and the household's own."""
    end = next_begin(today, By.MONTH)
    moved_out = residence.tenancy.moved_out
    return (min(end, moved_out) - today).days if moved_out else (end - today).days


def _project(
    month: Sequence[Usage], recent: Sequence[Usage], remaining: int, tariff: Tariff | None
) -> Projection | None:
    typical = [day for day in recent if day.expected and day.is_complete]
    if len(typical) < FEWEST_DAYS:
        return None
    before, counted, average = combine(month[:-1]), combine(month), combine(typical)
    unmeasured, left = _unmeasured(month[:-1]), remaining
    if before.energy + average.energy * remaining // len(typical) <= counted.energy:
        before, left = counted, 0
    energy = before.energy + average.energy * (left + unmeasured) // len(typical)
    # What a day costs is known from days under the tariff that holds today.
    priced = [day for day in typical if not day.unpriced and _is_under(day, tariff)]
    costs = _add_days(before.costs, priced, left, unmeasured)
    return Projection(energy, costs, len(typical), remaining, unmeasured * DAY.total_seconds())


def _unmeasured(days: Sequence[Usage]) -> Fraction:
    """How much nobody knows of, in days. Of a silence over which the register went on it is known."""
    gaps = (day for day in days if not day.is_complete and not day.bridged)
    return sum((1 - Fraction(day.covered, day.expected) for day in gaps), Fraction(0))


def _is_under(day: Usage, tariff: Tariff | None) -> bool:
    return tariff is not None and all(use.tariff == tariff for use in day.rates.values())


def _add_days(costs: Sequence[Cost], priced: Sequence[Usage], left: int, unmeasured: Fraction) -> list[Cost]:
    """With days that cost what these did on average. Of those that are not measured the standing charge is in."""
    if not left and not unmeasured:
        return list(costs)
    if not priced:
        return []
    found = {cost.currency: replace(cost) for cost in costs}
    average = combine(priced)
    for part, days in ((average, Fraction(left)), (replace(average, standing_days={}), unmeasured)):
        times = Decimal(days.numerator) / (days.denominator * len(priced))
        for cost in part.costs:
            sum_ = found.setdefault(cost.currency, Cost(cost.currency))
            sum_.energy += cost.energy * times
            sum_.standing += cost.standing * times
            sum_.tax += cost.tax * times
    return list(found.values())


def _year_ago(residence: Residence, subject: Subject, last: dt.datetime, now: dt.datetime) -> Usage | None:
    building = residence.building
    local = last.astimezone(building.zone)
    day = a_year_before(local.date())
    # To the quarter hour, as all figures are.
    end = dt.datetime.combine(day, local.time(), tzinfo=building.zone).astimezone(dt.UTC)
    span = Period(building.midnight(day.replace(day=1)), end)
    owned = any(s.since <= span.begin and (s.until is None or span.end <= s.until) for s in residence.spans)
    return _if_known(usage(subject, *span, By.ALL, now)[0]) if owned and span.seconds else None
