"""What a household asks first: today, yesterday, this month and how it will end, and a year ago."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from accounts.access import Residence
from metering.periods import DAY, By, Period, next_begin
from metering.usage import Cost, Subject, Usage, combine, usage

TYPICAL_DAYS = 28
FEWEST_DAYS = 7


@dataclass(frozen=True)
class Projection:
    """What this month may come to: what is known up to yesterday, and days as the last ones were for the rest.

    Never less than what is counted already. Energy in mWh.
    """

    energy: int
    costs: list[Cost]
    days: int
    """Complete days, of the last TYPICAL_DAYS, that the rest of the month is taken to be like on average."""
    remaining: int


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
    now = min(now, residence.until - dt.timedelta(microseconds=1)) if residence.until else now
    today = now.astimezone(building.zone).date()
    first, tomorrow = today.replace(day=1), today + DAY
    begin = min(first, today - TYPICAL_DAYS * DAY)
    days = usage(subject, building.midnight(begin), building.midnight(tomorrow), By.DAY, now)
    month = [day for day in days if day.period.begin >= building.midnight(first)]
    recent = days[-1 - TYPICAL_DAYS : -1]
    return Overview(
        today=days[-1],
        yesterday=_if_known(days[-2]),
        month=combine(month),
        projection=_project(month, recent, (next_begin(today, By.MONTH) - today).days),
        year_ago=_year_ago(residence, subject, now),
    )


def _if_known(found: Usage) -> Usage | None:
    return found if found.expected and not found.is_unknown else None


def _project(month: Sequence[Usage], recent: Sequence[Usage], remaining: int) -> Projection | None:
    typical = [day for day in recent if day.expected and day.is_complete]
    if len(typical) < FEWEST_DAYS:
        return None
    before, today, average = combine(month[:-1]), month[-1], combine(typical)
    rest = max(average.energy * remaining // len(typical), today.energy)
    return Projection(
        energy=before.energy + rest,
        costs=_projected_costs(before.costs, average.costs, Decimal(remaining) / len(typical)),
        days=len(typical),
        remaining=remaining,
    )


def _projected_costs(before: Sequence[Cost], average: Sequence[Cost], times: Decimal) -> list[Cost]:
    known = {cost.currency: cost for cost in before}
    return [
        Cost(
            cost.currency,
            energy=(known[cost.currency].energy if cost.currency in known else 0) + cost.energy * times,
            standing=(known[cost.currency].standing if cost.currency in known else 0) + cost.standing * times,
            tax=(known[cost.currency].tax if cost.currency in known else 0) + cost.tax * times,
        )
        for cost in average
    ]


def _year_ago(residence: Residence, subject: Subject, now: dt.datetime) -> Usage | None:
    building = residence.building
    local = now.astimezone(building.zone)
    day = _a_year_before(local.date())
    # To the quarter hour, as all figures are.
    end = dt.datetime.combine(day, local.time(), tzinfo=building.zone).astimezone(dt.UTC)
    span = Period(building.midnight(day.replace(day=1)), end)
    owned = any(s.since <= span.begin and (s.until is None or span.end <= s.until) for s in residence.spans)
    return _if_known(usage(subject, *span, By.ALL, now)[0]) if owned and span.seconds else None


def _a_year_before(date: dt.date) -> dt.date:
    try:
        return date.replace(year=date.year - 1)
    except ValueError:  # 29 February
        return date.replace(year=date.year - 1, day=28)
