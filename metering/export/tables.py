"""What a household takes away, as rows: readings, quarter hours, days and months of its own time.

Rows are read a batch at a time, each batch a query of its own that seeks to where the one before ended: one query
for everything would keep SQLite from writing its log back, and a cursor open on PostgreSQL, for as long as the
slowest visitor reads. It seeks by the household's time, cut to begin there, one span of it after the other: beside
that another bound would be one too many, SQLite goes by the first of them and steps over all that was sent already.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.access import Residence
from metering.loads import OPEN_QUARTERS, open_loads
from metering.models import Load, Meter, Reading, meters_of
from metering.models.load import quarter_from, quarter_of, quarter_start
from metering.periods import By, Period
from metering.usage import Subject, Usage, usage

BATCH = 2000
# The least that two instants differ by.
INSTANT = dt.timedelta(microseconds=1)
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """Rows with what their columns are called; units stand in brackets. Texts are as they were written.

    Times are of the building's zone; money is Decimal.
    """

    columns: tuple[str, ...]
    rows: Iterable[Row]


READING_COLUMNS = (
    "taken at", "meter", "voltage (V)", "current (A)", "power (W)", "power factor", "energy register (kWh)",
    "saved at", "note",
)  # fmt: skip
READING_FIELDS = ("taken_at", "voltage", "current", "power", "power_factor", "energy_total", "saved_at", "note")
QUARTER_COLUMNS = (
    "from", "meter", "energy (Wh)", "exported (Wh)", "bridged (Wh)", "covered (s)", "readings", "power min (W)",
    "power mean (W)", "power max (W)", "voltage min (V)", "voltage mean (V)", "voltage max (V)",
)  # fmt: skip
QUARTER_FIELDS = (
    "quarter", "energy", "exported", "bridged", "covered", "samples", "power_min", "power_mean", "power_max",
    "voltage_min", "voltage_mean", "voltage_max",
)  # fmt: skip
USAGE_COLUMNS = (
    "from", "to", "energy (kWh)", "exported (kWh)", "bridged (kWh)", "measured (%)", "without a price (kWh)",
    "cost of energy", "standing charge", "tax", "total", "currency",
)  # fmt: skip


def readings(residence: Residence, period: Period) -> Table:
    """One meter after the other, in the order of time."""
    return Table(READING_COLUMNS, _readings(residence, period))


def _readings(residence: Residence, period: Period) -> Iterator[Row]:
    zone = residence.building.zone
    for meter in meters_of(residence):
        name = meter.name
        for batch in readings_of(residence, meter, period, READING_FIELDS):
            for taken_at, *figures, saved_at, note in batch:
                saved = saved_at.astimezone(zone) if saved_at else None
                yield (taken_at.astimezone(zone), name, *figures, saved, note)


def readings_of(
    residence: Residence, meter: Meter, period: Period, fields: tuple[str, ...], *, saved: bool = False,
    named: bool = False,
) -> Iterator[list[Any]]:  # fmt: skip
    """The fields of a meter's readings in that time, or of those saved, in batches; the first field is `taken_at`.

    `named` gives the fields their names, which takes its time.
    """

    def rows(part: Residence) -> QuerySet[Any]:
        own = Reading.objects.of(part).filter(meter=meter)
        return (own.saved() if saved else own).order_by("taken_at").values_list(*fields, named=named)

    return _batches(residence, period, rows, lambda taken_at: taken_at + INSTANT)


def quarter_hours(residence: Residence, period: Period) -> Table:
    """Those that begin in that time: one meter after the other, in the order of time."""
    return Table(QUARTER_COLUMNS, _quarter_hours(residence, period))


def _quarter_hours(residence: Residence, period: Period) -> Iterator[Row]:
    zone = residence.building.zone
    for meter in meters_of(residence):
        name = meter.name
        for quarter, energy, exported, bridged, *figures in quarters_of(residence, meter, period):
            *counts, v_min, v_mean, v_max = figures
            volts = (None if tenths is None else tenths / 10 for tenths in (v_min, v_mean, v_max))
            begin = quarter_start(quarter).astimezone(zone)
            yield (begin, name, energy / 1000, exported / 1000, bridged / 1000, *counts, *volts)


def quarters_of(residence: Residence, meter: Meter, period: Period) -> Iterator[Row]:
    """QUARTER_FIELDS of a meter's quarter hours that begin in that time, with those that nobody has stored yet."""
    # Asked first: what is stored meanwhile is left out, and nothing lies between the two.
    fresh = open_quarters_of(residence, meter, period)
    end = quarter_start(fresh[0].quarter if fresh else quarter_from(period.end))

    def rows(part: Residence) -> QuerySet[Any]:
        return Load.objects.of(part).filter(meter=meter).order_by("quarter").values_list(*QUARTER_FIELDS)

    for batch in _batches(residence, Period(period.begin, end), rows, lambda quarter: quarter_start(quarter + 1)):
        yield from batch
    for load in fresh:
        yield tuple(getattr(load, name) for name in QUARTER_FIELDS)


def open_quarters_of(residence: Residence, meter: Meter, period: Period) -> list[Load]:
    """Those of them that may not be stored yet: some of the last hour."""
    now, own = timezone.now(), residence.during(*period)
    if quarter_from(period.end) <= quarter_of(now) - OPEN_QUARTERS:
        return []
    return [load for load in open_loads([meter.pk], now) if own.covers(quarter_start(load.quarter))]


def sums(residence: Residence, period: Period, by: By) -> Table:
    """Local days, months or the like, all meters together, with what they cost."""
    return Table(USAGE_COLUMNS, _sums(residence, period, by))


def _sums(residence: Residence, period: Period, by: By) -> Iterator[Row]:
    for found in usage(Subject.of_residence(residence), *period, by):
        # Of time that was others' there is nothing to tell: not even that it is 0.
        if residence.during(*found.period).spans:
            yield from usage_rows(found, residence.building.zone)


def usage_rows(found: Usage, zone: Any) -> Iterator[Row]:
    """USAGE_COLUMNS: one row; one more for each further currency, without energies so that sums stay right."""
    begin, end = (instant.astimezone(zone) for instant in found.period)
    # Rounded down, as on pages: 100 says that it is all.
    known = None if found.known is None else int(round(1000 * found.known, 6)) / 10
    energies = [value / 1_000_000 for value in (found.energy, found.exported, found.bridged)]
    costs = [(*map(_plain, (c.energy, c.standing, c.tax, c.total)), c.currency) for c in found.costs]
    yield (begin, end, *energies, known, found.unpriced / 1_000_000, *(costs[0] if costs else [None] * 5))
    for cost in costs[1:]:
        yield (begin, end, *[None] * 5, *cost)


def _plain(amount: Decimal) -> Decimal:
    """To a millionth, which no cent is lost by; exact sums have more digits than anybody wants."""
    return amount.quantize(Decimal("0.000001")).normalize() + 0


def _batches(
    residence: Residence,
    period: Period,
    rows: Callable[[Residence], QuerySet[Any]],
    following: Callable[[Any], dt.datetime],
) -> Iterator[list[Any]]:
    """Rows by their first field, each batch from what follows the last one of the batch before."""
    own = residence.during(*period)
    for span in reversed(own.spans):
        begin = span.since
        while batch := list(rows(own.during(begin, span.until or period.end))[:BATCH]):
            yield batch
            begin = following(batch[-1][0])
