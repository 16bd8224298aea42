"""Loads -> what a meter counted on a local day, apart by the hours that its tariff tells apart."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Case, IntegerField, Max, Q, Sum, Value, When

from accounts.models import Building
from metering.models import DayTotal, Load, Meter, Tariff
from metering.models.instant import LATEST
from metering.models.load import quarter_start
from metering.month_totals import hold, sum_month
from metering.tariffs import Timeline

SUMMED = ("energy", "exported", "bridged", "covered")
KEPT = {name: Sum(name) for name in (*SUMMED, "samples")} | {"power_max": Max("power_max")}
"""What a day keeps of its quarter hours."""
METERS_AT_ONCE = 50
"""Summed in one transaction, which others wait for."""


def sum_days(changed: Collection[tuple[int, int]], retained: dt.datetime) -> Iterator[int]:
    """Write the totals of the local days on which these quarter hours of meters lie.

    `retained` is the instant from which on all loads are there. Yields the number of rows written each time.
    """
    meters = Meter.objects.filter(pk__in={meter for meter, _ in changed}).select_related("building")
    buildings = {meter.pk: meter.building for meter in meters}
    timelines = {pk: Timeline(building) for pk, building in {b.pk: b for b in buildings.values()}.items()}
    days: defaultdict[tuple[int, dt.date], set[int]] = defaultdict(set)
    for meter, quarter in changed:
        building = buildings[meter]
        days[building.pk, quarter_start(quarter).astimezone(building.zone).date()].add(meter)
    for (pk, date), on_that_day in days.items():
        for some in _parts(on_that_day):
            yield sum_day(timelines[pk], some, date, retained)


def sum_day(timeline: Timeline, meters: Collection[int], date: dt.date, retained: dt.datetime) -> int:
    """Write the totals of these meters, all of the timeline's building, on that date. Returns the number of rows."""
    totals: defaultdict[int, list[DayTotal]] = defaultdict(list)
    with transaction.atomic():
        # Before the loads are read: somebody else may have written some since, and would be written over.
        hold(meters)
        for meter, band, *sums in sums_of_day(timeline, meters, date):
            figures = dict(zip(KEPT, sums, strict=True))
            totals[meter].append(DayTotal(meter_id=meter, date=date, band_id=band, **figures))
        known = DayTotal.objects.filter(meter__in=meters, date=date)
        if timeline.building.midnight(date) < retained:
            _keep_what_was_more(totals, known)
            meters = totals
        written = [total for of_meter in totals.values() for total in of_meter]
        outdated = {(row.meter_id, row.band_id): row.pk for row in known if row.meter_id in meters}
        for total in written:
            outdated.pop((total.meter_id, total.band_id), None)
        DayTotal.objects.filter(pk__in=outdated.values()).delete()
        DayTotal.objects.bulk_create(
            written,
            batch_size=1000,
            update_conflicts=True,
            unique_fields=["meter", "date", "band"],
            update_fields=[*KEPT],
        )
        if meters:
            sum_month(meters, date)
    return len(written)


def sums_of_day(
    timeline: Timeline, meters: Collection[int], date: dt.date, until: int | None = None
) -> Iterator[Any]:  # fmt: skip
    """Meter, band, and the sums of its loads of that day, or of those before that quarter hour."""
    stretches = timeline.stretches(date)
    begin, end = stretches[0].begin, stretches[-1].end
    loads = Load.objects.filter(meter__in=meters, quarter__gte=begin, quarter__lt=until or end).order_by()
    bands = [When(quarter__lt=stretch.end, then=Value(stretch.band)) for stretch in stretches]
    rows = loads.annotate(band=Case(*bands, output_field=IntegerField())).values_list("meter", "band")
    return iter(rows.annotate(*KEPT.values()))


def _keep_what_was_more(totals: dict[int, list[DayTotal]], known: Any) -> None:
    """Of a day that long ago loads may be erased by now: a total is never replaced by what is left of it."""
    before: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in known:
        before[row.meter_id][0] += row.covered
        before[row.meter_id][1] += row.energy + row.exported
    for meter in list(totals):
        covered = sum(total.covered for total in totals[meter])
        energy = sum(total.energy + total.exported for total in totals[meter])
        # Only a register counts where nothing is covered.
        if covered < before[meter][0] or (covered == 0 and energy < before[meter][1]):
            del totals[meter]


def has_totals(building: Building) -> bool:
    """Whether days of this building are summed already."""
    return DayTotal.objects.filter(meter__building=building).exists()


def apply_tariffs() -> Iterator[int]:
    """Sum the days of tariffs that are new or were changed by their hours, the newest days first.

    Of days whose quarter hours are erased, in part or all of them, the totals stay as they are.

    Yields the number of rows written each time; safe to stop after any.
    """
    for building in Building.objects.filter(tariffs__in=Tariff.objects.current().filter(applied=False)).distinct():
        timeline = Timeline(building)
        for tariff in reversed(timeline.tariffs):
            if not tariff.applied:
                yield from _apply(timeline, tariff)
                # Where it, or the one after it, was changed meanwhile, the next round does it again.
                if Timeline(building).holds_as(timeline, tariff):
                    Tariff.objects.filter(pk=tariff.pk).update(applied=True)


def _apply(timeline: Timeline, tariff: Tariff) -> Iterator[int]:
    end = timeline.end_of(tariff)
    bands = [priced.band.pk for priced in timeline.rates(tariff)]
    days = DayTotal.objects.filter(meter__building=timeline.building, date__gte=tariff.valid_from)
    others = (days.filter(date__lt=end) if end else days).exclude(Q(band__in=bands))
    to_do: defaultdict[dt.date, list[int]] = defaultdict(list)
    for date, meter in others.order_by("-date").values_list("date", "meter").distinct():
        to_do[date].append(meter)
    for date, meters in to_do.items():
        for some in _parts(meters):
            yield sum_day(timeline, some, date, LATEST)


def _parts(meters: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(meters)
    for start in range(0, len(ordered), METERS_AT_ONCE):
        yield ordered[start : start + METERS_AT_ONCE]
