"""Time in local hours, days, weeks, months and years of a building."""

import datetime as dt
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from accounts.models import Building
from metering.models.load import QUARTER

DAY = dt.timedelta(days=1)


class By(StrEnum):
    """What figures are grouped by."""

    ALL = "all"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Period(NamedTuple):
    """From `begin` up to but excluding `end`."""

    begin: dt.datetime
    end: dt.datetime

    def within(self, begin: dt.datetime, end: dt.datetime) -> "Period":
        """What of it lies between these; an empty one has its end before its begin."""
        return Period(max(self.begin, begin), min(self.end, end))

    @property
    def seconds(self) -> int:
        """Its length; 0 for an empty one."""
        return max(0, round((self.end - self.begin).total_seconds()))


def cut(building: Building, begin: dt.datetime, end: dt.datetime, by: By) -> Iterator[Period]:
    """The time between two instants, cut where the building's local hour, day, week (Monday), month or year ends."""
    while begin < end:
        after = end if by == By.ALL else min(end, _end_of(building, begin, by))
        yield Period(begin, after)
        begin = after


def _end_of(building: Building, instant: dt.datetime, by: By) -> dt.datetime:
    if by == By.HOUR:
        return _full_hour_after(building, instant)
    return building.midnight(next_begin(instant.astimezone(building.zone).date(), by))


def _full_hour_after(building: Building, instant: dt.datetime) -> dt.datetime:
    # Clocks are not set by full hours everywhere: the next quarter hour at which the local clock shows one.
    after = instant - (instant - dt.datetime.min.replace(tzinfo=dt.UTC)) % QUARTER + QUARTER
    while after.astimezone(building.zone).minute:
        after += QUARTER
    return after


def next_begin(date: dt.date, by: By) -> dt.date:
    """The first day after the day, week, month or year in which that date lies."""
    if by == By.YEAR:
        return dt.date(date.year + 1, 1, 1)
    if by == By.MONTH:
        return (date.replace(day=1) + 31 * DAY).replace(day=1)
    return date + (7 - date.weekday()) * DAY if by == By.WEEK else date + DAY


def whole_days(building: Building, period: Period) -> tuple[dt.date, dt.date]:
    """The first local day that lies within the period as a whole, and the first one after those that do."""
    first = period.begin.astimezone(building.zone).date()
    if building.midnight(first) < period.begin:
        first += DAY
    return first, max(first, period.end.astimezone(building.zone).date())


def days_begun(building: Building, period: Period) -> tuple[dt.date, dt.date]:
    """The first local day that begins within the period, and the first one after those that do."""
    first, last = whole_days(building, period)
    if building.midnight(last) < period.end:
        last += DAY
    return first, last


def a_year_before(date: dt.date) -> dt.date:
    """The same date of the year before; 28 February for the 29th."""
    try:
        return date.replace(year=date.year - 1)
    except ValueError:
        return date.replace(year=date.year - 1, day=28)
