"""What a household takes away, as rows: readings, quarter hours, days and months of its own time.

Rows are read a batch at a time, each batch a query of its own that seeks to where the one before ended: one query
for everything would keep SQLite from writing its log back, and a cursor open on PostgreSQL, for as long as the
slowest visitor reads.
"""

from collections.abc import Iterable, Iterator
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
    own = Reading.objects.of(residence.during(*period))
    zone = residence.building.zone
    for meter in meters_of(residence):
        name = meter.name
        for batch in batches(own.filter(meter=meter), "taken_at", READING_FIELDS):
            for taken_at, *figures, saved_at, note in batch:
                saved = saved_at.astimezone(zone) if saved_at else None
                yield (taken_at.astimezone(zone), name, *figures, saved, note)


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
    last = fresh[0].quarter if fresh else quarter_from(period.end)
    loads = Load.objects.of(residence).filter(meter=meter, quarter__gte=quarter_of(period.begin), quarter__lt=last)
    for batch in batches(loads, "quarter", QUARTER_FIELDS):
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
        yield from usage_rows(found, residence.building.zone)


def usage_rows(found: Usage, zone: Any) -> Iterator[Row]:
    """USAGE_COLUMNS: one row; one more for each further currency, without energies so that sums stay right."""
    begin, end = (instant.astimezone(zone) for instant in found.period)
    known = None if found.known is None else round(100 * found.known, 1)
    energies = [value / 1_000_000 for value in (found.energy, found.exported, found.bridged)]
    costs = [(*map(_plain, (c.energy, c.standing, c.tax, c.total)), c.currency) for c in found.costs]
    yield (begin, end, *energies, known, found.unpriced / 1_000_000, *(costs[0] if costs else [None] * 5))
    for cost in costs[1:]:
        yield (begin, end, *[None] * 5, *cost)


def _plain(amount: Decimal) -> Decimal:
    """To a millionth, which no cent is lost by; exact sums have more digits than anybody wants."""
    return amount.quantize(Decimal("0.000001")).normalize() + 0


def batches(rows: QuerySet[Any], key: str, fields: tuple[str, ...], *, named: bool = False) -> Iterator[list[Any]]:
    """The fields of these rows in the order of the key, which is the first field and no two rows share.

    `named` gives them names, which takes its time.
    """
    ordered = rows.order_by(key).values_list(*fields, named=named)
    batch = list(ordered[:BATCH])
    while batch:
        yield batch
        batch = list(ordered.filter(**{f"{key}__gt": batch[-1][0]})[:BATCH])
