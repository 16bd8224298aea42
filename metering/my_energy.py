"""The energy of one household as CSV, for its download: quarter hours and days, each meter by itself."""

import datetime as dt
from collections.abc import Iterator

from django.db.models import Sum

from accounts.access import Residence
from metering.day_totals import SUMMED
from metering.export import tables
from metering.export.formats import as_csv
from metering.export.tables import Row, Table
from metering.models import DayTotal, meters_of
from metering.periods import Period

DAY_COLUMNS = ("day", "meter", "energy (Wh)", "exported (Wh)", "bridged (Wh)", "covered (s)")


def quarter_hours(residence: Residence, until: dt.datetime) -> Iterator[bytes]:
    """Those that began before `until`."""
    return as_csv(tables.quarter_hours(residence, Period(residence.since, until)))


def days(residence: Residence, until: dt.datetime) -> Iterator[bytes]:
    """Those that began before `until`, one meter after the other, in the order of time."""
    return as_csv(Table(DAY_COLUMNS, _days(residence, until)))


def _days(residence: Residence, until: dt.datetime) -> Iterator[Row]:
    today = until.astimezone(residence.building.zone).date()
    for meter in meters_of(residence):
        totals = DayTotal.objects.of(residence).filter(meter=meter, date__lte=today).order_by("date")
        # A day is kept apart by the hours of its tariff.
        for date, energy, exported, bridged, covered in totals.values_list("date").annotate(*map(Sum, SUMMED)):
            yield (date.isoformat(), meter.name, energy / 1000, exported / 1000, bridged / 1000, covered)
