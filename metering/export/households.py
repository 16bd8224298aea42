"""A household's quarter hours as Green Button."""

import datetime as dt
from collections.abc import Iterator

from accounts.access import Residence
from metering.export.green_button import Quarter, Series, green_button
from metering.export.tables import open_quarters_of, quarters_of
from metering.models import Load, Meter, meters_of
from metering.models.load import QUARTER, quarter_start
from metering.periods import Period
from metering.usage import ENOUGH

XML = "application/atom+xml"
COMPLETE = ENOUGH * QUARTER.total_seconds()


def as_green_button(residence: Residence, period: Period, now: dt.datetime) -> Iterator[bytes]:
    """Each meter's energy from the grid; of one that ever gave some back, that as well."""
    title = f"Apartment {residence.apartment.number}, {residence.building.name}"
    return green_button(title, _series(residence, period), residence.building.zone, now)


def _series(residence: Residence, period: Period) -> Iterator[Series]:
    for meter in meters_of(residence):
        for exported in (False, True) if _gives(residence, meter, period) else (False,):
            words = "given to the grid" if exported else "taken from the grid"
            quarters = _quarters(residence, meter, period, exported)
            yield Series(f"meter {meter.pk} {words}", f"Meter {meter.name}, {words}", exported, quarters)


def _gives(residence: Residence, meter: Meter, period: Period) -> bool:
    stored = Load.objects.of(residence).filter(meter=meter, exported__gt=0)
    return stored.exists() or any(load.exported for load in open_quarters_of(residence, meter, period))


def _quarters(residence: Residence, meter: Meter, period: Period, exported: bool) -> Iterator[Quarter]:
    for quarter, energy, given, _bridged, covered, *_ in quarters_of(residence, meter, period):
        yield Quarter(quarter_start(quarter), given if exported else energy, covered >= COMPLETE)
