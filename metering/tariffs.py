"""Which tariff holds on which day, and what becomes of one that is changed."""

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from accounts.models import Building
from metering.models import Band, Rate, Tariff, share_week
from metering.models.load import quarter_of, quarter_start
from metering.week import ALL_WEEK, slot_of


class Stretch(NamedTuple):
    """Quarter hours from `begin` up to but excluding `end`, all in one band."""

    begin: int
    end: int
    band: int


class PricedHours(NamedTuple):
    """A rate with the band of its hours."""

    rate: Rate
    band: Band


class Timeline:
    """The tariffs of a building, one after the other, as they are now."""

    def __init__(self, building: Building) -> None:
        self.building = building
        self.tariffs = Tariff.objects.timeline(building)
        self._starts = [tariff.valid_from for tariff in self.tariffs]
        self._rates: dict[int, list[PricedHours]] = {}

    def on(self, date: dt.date) -> Tariff | None:
        """The tariff that holds on a local date; None before the first one."""
        number = bisect_right(self._starts, date)
        return self.tariffs[number - 1] if number else None

    def rates(self, tariff: Tariff) -> list[PricedHours]:
        """Its rates, each with its hours."""
        if tariff.pk not in self._rates:
            shares = share_week(list(tariff.rates.all()))
            bands = Band.objects.of_hours(*(slots for _, slots in shares))
            self._rates[tariff.pk] = [PricedHours(rate, band) for (rate, _), band in zip(shares, bands, strict=True)]
        return self._rates[tariff.pk]

    def bands(self, date: dt.date) -> list[Band]:
        """What energy of that day is kept apart by: the hours of its tariff's rates, else all of them together."""
        tariff = self.on(date)
        return [priced.band for priced in self.rates(tariff)] if tariff else [self._all_week]

    def stretches(self, date: dt.date) -> list[Stretch]:
        """A local day in parts of one band each: 23, 24 or 25 hours of quarter hours in all."""
        bands, zone = self.bands(date), self.building.zone
        begin, end = day_quarters(self.building, date)
        if len(bands) == 1:
            return [Stretch(begin, end, bands[0].pk)]
        found: list[Stretch] = []
        for quarter in range(begin, end):
            slot = slot_of(quarter_start(quarter).astimezone(zone))
            band = next(band.pk for band in bands if band.hours >> slot & 1)
            if found and found[-1].band == band:
                found[-1] = found[-1]._replace(end=quarter + 1)
            else:
                found.append(Stretch(quarter, quarter + 1, band))
        return found

    def prices(self, date: dt.date) -> tuple[Tariff | None, dict[int, Rate]]:
        """The tariff that holds on a local date, and its rates by band."""
        tariff = self.on(date)
        return tariff, {priced.band.pk: priced.rate for priced in self.rates(tariff)} if tariff else {}

    def split(self, first: dt.date, last: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
        """Local days from the first up to but excluding the last one, where one tariff takes another one's place."""
        return pairwise([first, *(start for start in self._starts if first < start < last), last])

    def end_of(self, tariff: Tariff) -> dt.date | None:
        """The day from which another one holds; None where it is the last one."""
        number = bisect_right(self._starts, tariff.valid_from)
        return self._starts[number] if number < len(self._starts) else None

    def holds_as(self, earlier: "Timeline", tariff: Tariff) -> bool:
        """Whether a tariff still holds on the same days and in the same hours as it did then."""
        return any(
            now == tariff
            and self.end_of(now) == earlier.end_of(tariff)
            and now.valid_from == tariff.valid_from
            and [priced.band for priced in self.rates(now)] == [priced.band for priced in earlier.rates(tariff)]
            for now in self.tariffs
        )

    @cached_property
    def _all_week(self) -> Band:
        return Band.objects.of_hours(ALL_WEEK)[0]


def day_quarters(building: Building, date: dt.date) -> tuple[int, int]:
    """The first quarter hour of a local day, and the first one after it: 92, 96 or 100 of them."""
    return quarter_of(building.midnight(date)), quarter_of(building.midnight(date + dt.timedelta(days=1)))


def has_begun(tariff: Tariff) -> bool:
    """Whether its first day has come: somebody may have seen its prices since, also where another one holds by now."""
    return tariff.valid_from <= tariff.building.today()


def withdraw(tariff: Tariff) -> None:
    """Take a tariff out of force; it stays as it was, to be read. The one before it holds on."""
    with transaction.atomic():
        tariff.replaced_at = timezone.now()
        tariff.save(update_fields=["replaced_at"])
        to_be_applied(tariff.building, tariff.valid_from)


def to_be_applied(building: Building, since: dt.date) -> None:
    """Have the days from that one on summed by the hours of their tariffs."""
    timeline = Timeline(building)
    for tariff in timeline.tariffs:
        end = timeline.end_of(tariff)
        if end is None or end > since:
            Tariff.objects.filter(pk=tariff.pk).update(applied=False)
