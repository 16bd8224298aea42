"""The energy of one household as CSV, for its download: quarter hours and days."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator
from typing import Any

from accounts.access import Residence
from accounts.text import inert
from metering.models import DayTotal, Load, Meter
from metering.models.load import quarter_of, quarter_start

BATCH = 2000
QUARTER_COLUMNS = (
    "from", "meter", "energy (Wh)", "exported (Wh)", "bridged (Wh)", "covered (s)", "readings", "power min (W)",
    "power mean (W)", "power max (W)", "voltage min (V)", "voltage mean (V)", "voltage max (V)",
)  # fmt: skip
DAY_COLUMNS = ("day", "meter", "energy (Wh)", "exported (Wh)", "bridged (Wh)", "covered (s)")


def quarter_hours(residence: Residence, until: dt.datetime) -> Iterator[bytes]:
    """Those that began before `until`: one meter after the other, in the order of time."""
    yield _lines([QUARTER_COLUMNS])
    for meter in _meters(residence):
        loads = Load.objects.of(residence).filter(meter=meter, quarter__lte=quarter_of(until)).order_by("quarter")
        batch = list(loads[:BATCH])
        while batch:
            yield _lines(_quarter_row(load, meter, residence) for load in batch)
            batch = list(loads.filter(quarter__gt=batch[-1].quarter)[:BATCH])


def days(residence: Residence, until: dt.datetime) -> Iterator[bytes]:
    """Those that began before `until`, in the same order."""
    yield _lines([DAY_COLUMNS])
    today = until.astimezone(residence.building.zone).date()
    for meter in _meters(residence):
        totals = DayTotal.objects.of(residence).filter(meter=meter, date__lte=today).order_by("date")
        yield _lines((total.date.isoformat(), inert(meter.name), *_energy(total)) for total in totals)


def _meters(residence: Residence) -> Iterable[Meter]:
    return Meter.objects.filter(apartment=residence.apartment).order_by("installed_at", "pk")


def _quarter_row(load: Load, meter: Meter, residence: Residence) -> tuple[Any, ...]:
    begin = quarter_start(load.quarter).astimezone(residence.building.zone).isoformat()
    volts = (load.voltage_min, load.voltage_mean, load.voltage_max)
    return (
        begin,
        inert(meter.name),
        *_energy(load),
        load.samples,
        load.power_min,
        load.power_mean,
        load.power_max,
        *(None if tenths is None else tenths / 10 for tenths in volts),
    )


def _energy(row: Load | DayTotal) -> tuple[Any, ...]:
    return row.energy / 1000, row.exported / 1000, row.bridged / 1000, row.covered


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
