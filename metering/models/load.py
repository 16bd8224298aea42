"""Loads: how much energy went through a meter in a quarter hour, and on a local day."""

import datetime as dt
from typing import Self

from django.db import models
from django.db.models import Q

from accounts.access import Residence
from metering.models.instant import EPOCH, InstantField
from metering.models.meter import Meter, meters_of
from metering.models.tariff import Band

QUARTER = dt.timedelta(minutes=15)


def quarter_of(instant: dt.datetime) -> int:
    """The number of the quarter hour that an instant falls into, from 1970-01-01 UTC on."""
    return (instant - EPOCH) // QUARTER


def quarter_from(instant: dt.datetime) -> int:
    """The first quarter hour that begins at that instant or after it."""
    quarter = quarter_of(instant)
    return quarter if quarter_start(quarter) == instant else quarter + 1


def quarter_start(quarter: int) -> dt.datetime:
    """When a quarter hour begins."""
    return EPOCH + quarter * QUARTER


class LoadQuerySet(models.QuerySet["Load"]):
    """Quarter hours, and whose they are."""

    def of(self, residence: Residence) -> Self:
        """Of a household's own time in its own apartment, and nothing else. Midnights are quarter hours."""
        own = Q(quarter__in=[])
        for span in residence.spans:
            lasting = Q(quarter__gte=quarter_of(span.since))
            own |= lasting & Q(quarter__lt=quarter_of(span.until)) if span.until else lasting
        return self.filter(own, meter__in=meters_of(residence))


class DayTotalQuerySet(models.QuerySet["DayTotal"]):
    """Days, and whose they are."""

    def of(self, residence: Residence) -> Self:
        """Of a household's own time in its own apartment, and nothing else."""
        own, zone = Q(date__in=[]), residence.building.zone
        for span in residence.spans:
            lasting = Q(date__gte=span.since.astimezone(zone).date())
            own |= lasting & Q(date__lt=span.until.astimezone(zone).date()) if span.until else lasting
        return self.filter(own, meter__in=meters_of(residence))


class Load(models.Model):
    """What readings say about a meter's quarter hour. Integers, so that sums are exact and rows are small.

    Derived: the same readings, in whatever order they came, give the same row again.
    """

    pk = models.CompositePrimaryKey("meter", "quarter")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="loads", db_index=False)
    quarter = models.IntegerField(help_text="Quarter hours since 1970-01-01 UTC.")
    energy = models.BigIntegerField(help_text="mWh taken from the grid.")
    exported = models.BigIntegerField(help_text="mWh given to the grid.")
    bridged = models.BigIntegerField(
        help_text="mWh of `energy` that the register counted while no readings came, spread evenly over that time."
    )
    covered = models.IntegerField(help_text="Seconds with readings close enough to know the power.")
    samples = models.IntegerField(help_text="Readings.")
    power_min = models.BigIntegerField(null=True, help_text="W")
    power_mean = models.BigIntegerField(null=True, help_text="W; of the readings.")
    power_max = models.BigIntegerField(null=True, help_text="W")
    voltage_min = models.BigIntegerField(null=True, help_text="Tenths of a volt.")
    voltage_mean = models.BigIntegerField(null=True, help_text="Tenths of a volt.")
    voltage_max = models.BigIntegerField(null=True, help_text="Tenths of a volt.")
    register = models.FloatField(
        null=True, help_text="kWh: the highest that the register had shown when it was shown here last; else empty."
    )

    objects = LoadQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.meter_id} at {quarter_start(self.quarter):%Y-%m-%d %H:%M} UTC: {self.energy / 1000:.1f} Wh"


class DayTotal(models.Model):
    """The loads of a local day of the building in some hours, in sum. Stays when readings and loads are gone.

    The bands that a meter has on a day are those that the tariff of that day tells apart, else one for all its hours.
    """

    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="day_totals", db_index=False)
    date = models.DateField(help_text="Local date of the building.")
    band = models.ForeignKey(
        Band, on_delete=models.PROTECT, related_name="+", db_index=False, help_text="Which of its hours."
    )
    energy = models.BigIntegerField(help_text="mWh taken from the grid.")
    exported = models.BigIntegerField(help_text="mWh given to the grid.")
    bridged = models.BigIntegerField(help_text="mWh of `energy` that came while no readings did.")
    covered = models.IntegerField(help_text="Seconds with readings close enough to know the power.")
    samples = models.IntegerField(default=0, help_text="Readings.")
    power_max = models.BigIntegerField(null=True, help_text="W")

    objects = DayTotalQuerySet.as_manager()

    class Meta:
        ordering = ["meter", "date"]
        constraints = [models.UniqueConstraint(fields=["meter", "date", "band"], name="day_total_once")]

    def __str__(self) -> str:
        return f"{self.meter_id} on {self.date}: {self.energy / 1_000_000:.3f} kWh"


class MonthTotal(models.Model):
    """The day totals of a local month in sum, so that a year of hundreds of meters is quickly added up."""

    pk = models.CompositePrimaryKey("meter", "month", "band")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="month_totals", db_index=False)
    month = models.DateField(help_text="Its first day.")
    band = models.ForeignKey(Band, on_delete=models.PROTECT, related_name="+", db_index=False)
    energy = models.BigIntegerField(help_text="mWh taken from the grid.")
    exported = models.BigIntegerField(help_text="mWh given to the grid.")
    bridged = models.BigIntegerField(help_text="mWh of `energy` that came while no readings did.")
    covered = models.IntegerField(help_text="Seconds with readings close enough to know the power.")

    def __str__(self) -> str:
        return f"{self.meter_id} in {self.month:%Y-%m}: {self.energy / 1_000_000:.3f} kWh"


class LoadProgress(models.Model):
    """Up to which reading loads are derived, and from when on readings are complete. One row."""

    derived_to = models.BigIntegerField(default=0, help_text="The newest reading of those that are.")
    pruned_to = InstantField(default=EPOCH, help_text="Before this instant readings may have been deleted.")

    def __str__(self) -> str:
        return f"derived up to reading {self.derived_to}"


class Pruning(models.Model):
    """From when on all readings of a meter are there; where it has none, all that ever came.

    No field of the meter: whoever saves a form of it would put it back.
    """

    meter = models.OneToOneField(Meter, on_delete=models.CASCADE, primary_key=True, related_name="pruning")
    pruned_to = InstantField(default=EPOCH, help_text="Before this quarter hour begins readings may have been deleted.")

    def __str__(self) -> str:
        return f"{self.meter_id} up to {self.pruned_to:%Y-%m-%d %H:%M} UTC"
