"""What is worth knowing about a household's day: what is usual at this hour, last night's base load, today's peak."""

import datetime as dt
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from accounts.access import Residence
from accounts.models import Building
from metering.models import Load, Reading
from metering.models.load import quarter_of, quarter_start
from metering.periods import DAY

USUAL_DAYS = 28
FEWEST_DAYS = 7
NIGHT = dt.timedelta(hours=6)
"""From midnight on: the time in which least is used."""
FEWEST_AT_NIGHT = 12
"""Quarter hours of a night that must be known: half of it."""


class Range(NamedTuple):
    """From W to W."""

    low: int
    high: int


@dataclass(frozen=True)
class Highlights:
    """None where too little is known to say so."""

    usual: Range | None
    """Mean power of the quarter hours of this hour of the day in the last USUAL_DAYS: all but the outer tenths."""
    base_load: int | None
    """W: the lowest mean power of a quarter hour in the night before."""
    peak: Reading | None
    """The reading of today with the highest power."""


class _Quarter(NamedTuple):
    """A meter's quarter hour: its mean and its highest power in W."""

    meter: int
    quarter: int
    mean: int
    peak: int


def highlights(residence: Residence, now: dt.datetime) -> Highlights:
    """The figures of this moment."""
    hours = set(_this_hour(residence.building, now))
    night, day = _last_night(residence.building, now), _today(residence.building, now)
    known = _known(residence, hours.union(night, day))
    return Highlights(
        usual=_middle(_sums(known, hours)),
        base_load=_lowest(_sums(known, night)),
        peak=_peak(residence, [quarter for quarter in known if quarter.quarter in day], day),
    )


def _this_hour(building: Building, now: dt.datetime) -> Iterator[int]:
    """The quarter hours of this hour of the local day, on the days before."""
    local = now.astimezone(building.zone)
    for days in range(1, USUAL_DAYS + 1):
        begin = dt.datetime.combine(local.date() - days * DAY, dt.time(local.hour), tzinfo=building.zone)
        first = quarter_of(begin.astimezone(dt.UTC))
        yield from range(first, first + 4)


def _last_night(building: Building, now: dt.datetime) -> range:
    """The quarter hours of the last night that is over."""
    midnight = building.midnight(now.astimezone(building.zone).date())
    if now < midnight + NIGHT:
        midnight = building.midnight(now.astimezone(building.zone).date() - DAY)
    return range(quarter_of(midnight), quarter_of(midnight + NIGHT))


def _today(building: Building, now: dt.datetime) -> range:
    date = now.astimezone(building.zone).date()
    return range(quarter_of(building.midnight(date)), quarter_of(building.midnight(date + DAY)))


def _known(residence: Residence, quarters: set[int]) -> list[_Quarter]:
    loads = Load.objects.of(residence).filter(quarter__in=quarters, samples__gt=0).order_by("quarter")
    rows = loads.values_list("meter", "quarter", "power_mean", "power_max")
    return [_Quarter(meter, quarter, mean or 0, peak or 0) for meter, quarter, mean, peak in rows]


def _sums(known: Iterable[_Quarter], quarters: Container[int]) -> list[int]:
    """The mean powers of these quarter hours, all meters of the apartment together.

    Where one of them is silent the sum would be too low. Each counts from its first to its last one: it may have
    been replaced meanwhile.
    """
    means: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for found in known:
        if found.quarter in quarters:
            means[found.meter][found.quarter] = found.mean
    lasting = [(min(of_meter), max(of_meter), of_meter) for of_meter in means.values()]
    sums = []
    for quarter in set().union(*means.values()):
        there = [of_meter for first, last, of_meter in lasting if first <= quarter <= last]
        if all(quarter in of_meter for of_meter in there):
            sums.append(sum(of_meter[quarter] for of_meter in there))
    return sums


def _middle(powers: list[int]) -> Range | None:
    if len(powers) < FEWEST_DAYS * 4:
        return None
    tenth = len(powers) // 10
    inner = sorted(powers)[tenth : len(powers) - tenth]
    return Range(inner[0], inner[-1])


def _lowest(powers: list[int]) -> int | None:
    return min(powers) if len(powers) >= FEWEST_AT_NIGHT else None


def _peak(residence: Residence, known: list[_Quarter], day: range) -> Reading | None:
    """The highest reading of the quarter hour with the highest one, or of the time that nobody has derived yet."""
    newest = known[-1].quarter if known else day[0]
    spans = [(newest, day[-1] + 1)]
    if known:
        highest = max(known, key=lambda found: found.peak).quarter
        spans.append((highest, highest + 1))
    found = [_highest(residence, *span) for span in spans]
    return max((reading for reading in found if reading), key=lambda reading: reading.power, default=None)


def _highest(residence: Residence, first: int, last: int) -> Reading | None:
    own = residence.during(quarter_start(first), quarter_start(last))
    return Reading.objects.of(own).order_by("-power", "taken_at").first()
