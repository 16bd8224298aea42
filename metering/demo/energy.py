"""The demo's past before its readings begin: quarter hours, made of the same households; and what energy costs."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from accounts.models import Building
from metering.day_totals import apply_tariffs, sum_day
from metering.demo.household import Household
from metering.loads import derive_new
from metering.models import Load, Meter, Rate, Tariff
from metering.models.instant import EPOCH
from metering.models.load import QUARTER, quarter_of, quarter_start
from metering.tariffs import Timeline

MONTH = dt.timedelta(days=32)
"""So far back all apartments have energy: enough to compare a month's."""
YEAR = dt.timedelta(days=400)
"""So far back the first resident's apartment has: enough for the same month a year ago."""
SAMPLES = 2
"""Of a household's power in a quarter hour."""


def make_tariff(building: Building) -> None:
    """Day and night, made once."""
    if building.tariffs.exists():
        return
    first = building.today().replace(month=1, day=1) - dt.timedelta(days=365)
    tariff = Tariff.objects.create(
        building=building, valid_from=first, currency=building.currency, standing_charge=Decimal("0.32"), tax_rate=19
    )
    Rate.objects.create(tariff=tariff, name="Day", price=Decimal("0.2890"), hours="Mon-Fri 06:00-22:00")
    Rate.objects.create(tariff=tariff, name="Night and weekend", price=Decimal("0.2340"), hours="")


def make_energy(building: Building, longest: str, readings_begin: dt.datetime) -> Iterator[int]:
    """The quarter hours of every meter without any, up to where its readings begin. Yields how many are stored."""
    end = quarter_of(readings_begin)
    days: dict[dt.date, list[int]] = {}
    for meter in Meter.objects.filter(building=building, apartment__isnull=False).select_related("apartment"):
        if meter.apartment is None or meter.loads.exists():
            continue
        begin = quarter_of(timezone.now()) - (YEAR if meter.apartment.number == longest else MONTH) // QUARTER
        household = Household(str(meter.apartment), building.zone)
        with transaction.atomic():
            Load.objects.bulk_create(
                (_load(meter, household, quarter) for quarter in range(begin, end)), batch_size=1000
            )
        for quarter in range(begin, end):
            date = quarter_start(quarter).astimezone(building.zone).date()
            meters = days.setdefault(date, [])
            if not meters or meters[-1] != meter.pk:
                meters.append(meter.pk)
        yield end - begin
    timeline = Timeline(building)
    for date, meters in days.items():
        sum_day(timeline, meters, date, EPOCH)
    sum(derive_new())
    sum(apply_tariffs())


def _load(meter: Meter, household: Household, quarter: int) -> Load:
    begin = quarter_start(quarter)
    samples = [household.sample(begin + QUARTER * (number + 0.5) / SAMPLES) for number in range(SAMPLES)]
    powers = [sample.power for sample in samples]
    volts = [round(10 * sample.voltage) for sample in samples]
    mean = sum(powers) / SAMPLES
    return Load(
        meter=meter, quarter=quarter, energy=round(mean * 250), exported=0, bridged=0, covered=900, samples=SAMPLES,
        power_min=round(min(powers)), power_mean=round(mean), power_max=round(max(powers)),
        voltage_min=min(volts), voltage_mean=sum(volts) // SAMPLES, voltage_max=max(volts),
    )  # fmt: skip
