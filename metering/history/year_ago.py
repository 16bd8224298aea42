"""A household's time beside the same local days a year earlier: what was used then, and what differs."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from accounts.access import Residence
from accounts.models import Building
from metering.figures import CENT, energy_decimals
from metering.history.stretch import Stretch, around
from metering.periods import DAY, By, Period, a_year_before
from metering.usage import MWH_PER_KWH, Subject, Usage, combine, usage

WHOLE = {By.MONTH, By.YEAR}
"""What is compared as a whole, though 29 February may be in one of the two only."""


@dataclass(frozen=True)
class Difference:
    """From then to now: mWh, the share of what it was then, and money where both have one currency.

    Of the figures as they are shown, so that they fit it.
    """

    energy: int
    largest: int
    """mWh of the larger one of the two, which says how many decimals all three have."""
    share: float | None
    money: Decimal | None
    currency: str


@dataclass(frozen=True)
class YearAgo:
    """The same days a year earlier, as far as this year has come."""

    days: Stretch
    period: Period
    """What of it is compared: up to the same time of the same day."""
    sum: Usage
    parts: list[Usage | None]
    """For each part of this year's time, the same one then."""
    shift: int
    """Seconds from then to now."""
    is_own: bool
    """Whether all of it is the household's own."""
    is_part: bool
    """Whether it ends before its last day does."""
    difference: Difference | None
    """None where the two are not known well enough to say so."""

    @property
    def is_known(self) -> bool:
        """Whether anything is known of that time."""
        return bool(self.sum.expected) and not self.sum.is_unknown

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole month or year, of which nobody asks for the days of the week."""
        return self.days.kind in WHOLE


def year_ago(
    residence: Residence, shown: Stretch, past: Period, parts: Sequence[Usage], by: By, now: dt.datetime
) -> YearAgo:
    """What lies beside these parts of `past`, the household's own time in the days shown."""
    building = residence.building
    days = a_year_before_of(shown)
    period = _same_time(building, shown, days, Period(past.begin, min(past.end, now)))
    found = usage(Subject.of_residence(residence), *period, by, now) if period.seconds else []
    then, here = combine(found), combine(parts)
    parts_then = defaultdict(list)
    for part in found:
        # Where the clock was set back, two hours have one name.
        parts_then[_key(building, part, by)].append(part)
    beside = [parts_then.get(_key(building, part, by, years=1)) for part in parts]
    is_own = any(s.since <= period.begin and (s.until is None or period.end <= s.until) for s in residence.spans)
    return YearAgo(
        days=days,
        period=period,
        sum=then,
        parts=[combine(same) if same else None for same in beside],
        shift=round((building.midnight(shown.first) - building.midnight(days.first)).total_seconds()),
        is_own=is_own,
        is_part=period.end < building.midnight(days.last + DAY),
        difference=_difference(here, then) if is_own and here.is_complete and then.is_complete else None,
    )


def a_year_before_of(shown: Stretch) -> Stretch:
    """The same dates a year earlier; 28 February stands for the 29th. A month is a month, and a year a year."""
    if shown.kind in WHOLE:
        return around(shown.kind, a_year_before(shown.first))
    return Stretch(a_year_before(shown.first), a_year_before(shown.last))


def _same_time(building: Building, shown: Stretch, days: Stretch, past: Period) -> Period:
    """What of those days corresponds to what is past, and the household's own, of those that are shown."""
    begin, end = building.midnight(days.first), building.midnight(days.last + DAY)
    if past.begin > building.midnight(shown.first):
        begin = _then(building, past.begin)
    if past.end < building.midnight(shown.last + DAY):
        end = min(end, _then(building, past.end))
    return Period(begin, max(begin, end))


def _then(building: Building, instant: dt.datetime) -> dt.datetime:
    local = instant.astimezone(building.zone)
    return dt.datetime.combine(a_year_before(local.date()), local.time(), tzinfo=building.zone).astimezone(dt.UTC)


def _key(building: Building, part: Usage, by: By, years: int = 0) -> tuple[int, ...]:
    """What the same part of two years has in common, with the year itself, so many years earlier."""
    local = part.period.begin.astimezone(building.zone)
    length = {By.YEAR: 1, By.MONTH: 2, By.DAY: 3, By.HOUR: 4}[by]
    return (local.year - years, local.month, local.day, local.hour)[:length]


def _difference(here: Usage, then: Usage) -> Difference | None:
    if here.is_unknown or then.is_unknown or not then.expected:
        return None
    largest = max(here.energy, then.energy)
    energy = _rounded(here.energy, largest) - _rounded(then.energy, largest)
    share = (here.energy - then.energy) / then.energy if then.energy else None
    money, currency = None, ""
    priced = not (here.unpriced or then.unpriced)
    if priced and len(here.costs) == len(then.costs) == 1 and here.costs[0].currency == then.costs[0].currency:
        now_, then_ = (cost.total.quantize(CENT, ROUND_HALF_UP) for cost in (here.costs[0], then.costs[0]))
        money, currency = now_ - then_, here.costs[0].currency
    return Difference(energy, largest, share, money, currency)


def _rounded(energy: int, largest: int) -> int:
    """As kilowatt_hours() writes it beside the largest."""
    return round(round(energy / MWH_PER_KWH, energy_decimals(largest)) * MWH_PER_KWH)
