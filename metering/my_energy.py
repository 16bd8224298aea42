"""The energy of one household as CSV, for its download: quarter hours and days, each meter by itself."""

import datetime as dt
from collections.abc import Iterator

from django.db.models import Sum

from accounts.access import Residence
from metering.day_totals import SUMMED
from metering.export import tables
from metering.export.formats import as_csv
from metering.export.tables import Row, Table
from metering.loads import OPEN_QUARTERS
from metering.models import DayTotal, Meter, meters_of
from metering.models.load import quarter_of, quarter_start
from metering.periods import By, Period
from metering.usage import Figures, Subject, usage

DAY_COLUMNS = ("day", "meter", "energy (Wh)", "exported (Wh)", "bridged (Wh)", "covered (s)")


def quarter_hours(residence: Residence, until: dt.datetime) -> Iterator[bytes]:
    """Those that began before `until`."""
    return as_csv(tables.quarter_hours(residence, Period(residence.since, until)))


def days(residence: Residence, until: dt.datetime) -> Iterator[bytes]:
    """Those that began before `until`, one meter after the other, in the order of time."""
    return as_csv(Table(DAY_COLUMNS, _days(residence, until)))


def _days(residence: Residence, until: dt.datetime) -> Iterator[Row]:
    building = residence.building
    newest = quarter_start(quarter_of(until) - OPEN_QUARTERS).astimezone(building.zone).date()
    for meter in meters_of(residence):
        totals = DayTotal.objects.of(residence).filter(meter=meter, date__lt=newest).order_by("date")
        # A day is kept apart by the hours of its tariff.
        for date, *sums in totals.values_list("date").annotate(*map(Sum, SUMMED)):
            yield _row(date, meter, Figures(*sums))
        # Of this one not all is summed yet.
        subject = Subject(building, (meter,), residence.spans, apartments=0)
        for day in usage(subject, building.midnight(newest), until, By.DAY, until):
            if day.covered or day.energy or day.exported:
                date = day.period.begin.astimezone(building.zone).date()
                yield _row(date, meter, Figures(day.energy, day.exported, day.bridged, day.covered))


def _row(date: dt.date, meter: Meter, figures: Figures) -> Row:
    energy, exported, bridged, covered = figures
    return (date.isoformat(), meter.name, energy / 1000, exported / 1000, bridged / 1000, covered)
