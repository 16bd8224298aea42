"""Energy and money of all apartments of a building, for its manager and for comparing them."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from django.db.models import Sum
from django.utils import timezone

from accounts.models import Building
from metering.day_totals import SUMMED, sums_of_day
from metering.models import DayTotal, Load, Meter, MonthTotal, Rate, Tariff
from metering.models.load import quarter_from
from metering.periods import By, Period, cut, whole_days
from metering.tariffs import Timeline
from metering.usage import Figures, Usage, expected_seconds, heard_meters, is_month, standing_days

HOUSEKEEPING = dt.timedelta(minutes=15)
"""So far back the totals of days may not be summed yet."""


class Part(NamedTuple):
    """Local days from `first` up to but excluding `last`, on which one tariff holds, of a period with that number."""

    number: int
    first: dt.date
    last: dt.date
    tariff: Tariff | None
    rates: dict[int, Rate]
    """By band."""


def usage_by_apartment(
    building: Building, first: dt.date, last: dt.date, by: By = By.ALL, now: dt.datetime | None = None
) -> dict[int, list[Usage]]:
    """The usage of every apartment of a building on the local days from the first up to but excluding the last one.

    By apartment's id, as of when housekeep last ran. From totals of days and months, so that hundreds of apartments fit
    into a page's time.
    """
    past = Period(building.midnight(first), min(building.midnight(last), now or timezone.now()))
    heard_until = (now or timezone.now()) - HOUSEKEEPING
    timeline, periods = Timeline(building), list(cut(building, past.begin, building.midnight(last), by))
    homes = {meter.pk: meter for meter in heard_meters(building=building, apartment__isnull=False)}
    meters: defaultdict[int, list[Meter]] = defaultdict(list)
    for meter in homes.values():
        meters[meter.apartment_id or 0].append(meter)
    usages = {pk: [Usage(period) for period in periods] for pk in building.apartments.values_list("pk", flat=True)}
    parts: list[Part] = []
    ahead = _ahead(list(homes), past.end) if past.end < building.midnight(last) else []
    for number, period in enumerate(periods):
        own = period.within(*past)
        if own.seconds:
            standing, heard = standing_days(timeline, own), own.within(own.begin, heard_until)
            for pk, found in usages.items():
                found[number].expected = expected_seconds(meters[pk], heard)
                found[number].charge(standing, apartments=1)
        pieces = timeline.split(*whole_days(building, period))
        parts += (Part(number, since, until, *timeline.prices(since)) for since, until in pieces)
    in_time = _sums([pk for pk in homes if pk not in ahead], parts)
    for part, meter_id, band, *sums in chain(in_time, _sums_until(timeline, ahead, parts, past.end)):
        usage = usages[homes[meter_id].apartment_id or 0][part.number]
        usage.add(Figures(*sums))
        usage.price(part.tariff, part.rates.get(band), sums[0])
    return usages


def _sums(meters: list[int], parts: Sequence[Part]) -> Iterator[Any]:
    """Part, meter, band, and the sums of that: of whole months from their totals, of other days from theirs."""
    months = {part.first: part for part in parts if is_month(part.first, part.last)}
    totals = MonthTotal.objects.filter(meter__in=meters, month__in=months).order_by()
    for month, *row in totals.values_list("month", "meter", "band", *SUMMED):
        yield months[month], *row
    for part in parts:
        if part.first not in months:
            days = DayTotal.objects.filter(meter__in=meters, date__gte=part.first, date__lt=part.last).order_by()
            for row in days.values_list("meter", "band").annotate(*(Sum(name) for name in SUMMED)):
                yield part, *row


def _ahead(meters: list[int], now: dt.datetime) -> list[int]:
    """The meters whose clock is ahead, so that their days hold what does not count yet."""
    to_come = Load.objects.filter(meter__in=meters, quarter__gte=quarter_from(now)).order_by()
    return list(to_come.values_list("meter", flat=True).distinct())


def _sums_until(timeline: Timeline, meters: list[int], parts: Sequence[Part], now: dt.datetime) -> Iterator[Any]:
    """As _sums, without what is to come: today by its quarter hours that have begun."""
    if not meters:
        return
    today = now.astimezone(timeline.building.zone).date()
    yield from _sums(meters, [part._replace(last=min(part.last, today)) for part in parts if part.first < today])
    for part in parts:
        if part.first <= today < part.last:
            for meter, band, *sums in sums_of_day(timeline, meters, today, quarter_from(now)):
                yield part, meter, band, *sums[: len(SUMMED)]
