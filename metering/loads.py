"""Readings -> loads: energy per quarter hour and per local day.

Only what new or late readings touch is derived again, from the quarter hour of the reading before them on. What is
written depends on nothing but the readings, so this may be stopped, repeated, and done by two at once.
"""

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.db import connection
from django.db.models import Min, Sum, Value
from django.db.models.functions import Least
from django.utils import timezone

from accounts.models import Building
from metering.derivation import Window, derive
from metering.models import DayTotal, Load, LoadProgress, Meter, Reading
from metering.models.instant import to_microseconds
from metering.models.load import quarter_of, quarter_start

T = TypeVar("T")

METERS_AT_ONCE = 20
ROWS_AT_ONCE = 100
"""Written in one transaction, which others wait for."""
LONGEST_WAIT = 2.0
"""Seconds for which a transaction that writes readings is waited for."""
SUMMED = ("energy", "exported", "bridged", "covered")
DERIVED = [field.name for field in Load._meta.concrete_fields if field.name not in {"meter", "quarter"}]


class Touched(NamedTuple):
    """A meter whose loads are to be derived from this quarter hour on."""

    meter_id: int
    quarter: int


def derive_new() -> Iterator[int]:
    """Derive what readings that came since the last time touch.

    Yields the number of rows written in each transaction; safe to stop after any.
    """
    progress, _ = LoadProgress.objects.get_or_create(pk=1)
    top = _newest_settled()
    if top is None or top == progress.derived_to:
        return
    new = Reading.objects.filter(pk__gt=progress.derived_to, pk__lte=top)
    firsts = new.order_by().values_list("meter_id").annotate(first=Min("taken_at"))
    touched = [Touched(meter, _quarter_before(meter, first)) for meter, first in firsts]
    for some in _parts(sorted(touched), METERS_AT_ONCE):
        yield from _derive(some)
    _advance(progress.derived_to, top)


def _advance(begin: int, top: int) -> None:
    """Note how far it is done. Where somebody else did the same meanwhile, what both did is done again."""
    progress = LoadProgress.objects.filter(pk=1)
    if not progress.filter(derived_to=begin).update(derived_to=top):
        progress.update(derived_to=Least("derived_to", Value(begin)))


def _newest_settled() -> int | None:
    """The newest reading, below which none will appear any more. None where there is none, or nobody can tell now.

    SQLite has one writer at a time, whose numbers go up. PostgreSQL hands out numbers before it commits: all who are
    writing now are waited for. Whoever begins later gets a higher number.
    """
    newest = Reading.objects.order_by("-pk").values_list("pk", flat=True).first()
    give_up_at = time.monotonic() + LONGEST_WAIT
    writers = _writers()
    while writers:
        if time.monotonic() > give_up_at:
            return None
        time.sleep(0.01)
        writers &= _writers()
    return newest


def _writers() -> set[str]:
    """The transactions of others that write readings at this moment, on PostgreSQL."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks WHERE relation = %s::regclass AND mode = 'RowExclusiveLock'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND pid <> pg_backend_pid()",
            [Reading._meta.db_table],
        )
        return {transaction for (transaction,) in cursor.fetchall()}


def _quarter_before(meter_id: int, first: dt.datetime) -> int:
    """The quarter hour of the reading before that one, whose interval ends at it; else its own."""
    before = Reading.objects.filter(meter=meter_id, taken_at__lt=first).order_by("-taken_at")
    return quarter_of(before.values_list("taken_at", flat=True).first() or first)


def _derive(touched: Sequence[Touched]) -> Iterator[int]:
    since = dict(touched)
    windows = [window for item in touched if (window := _window(item))]
    loads = [load for load in derive(windows) if load.quarter >= since[load.meter_id]]
    retained = quarter_of(timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS)) + 1
    for some in _parts(loads, ROWS_AT_ONCE):
        _save_loads([load for load in some if load.quarter >= retained])
        # Of what is older, readings may be gone: what they said then is not replaced by what is left.
        Load.objects.bulk_create([load for load in some if load.quarter < retained], ignore_conflicts=True)
        yield len(some)
    outdated = _delete_outdated(since, loads, retained)
    yield from _sum_days([(load.meter_id, load.quarter) for load in loads] + outdated, retained)


def _window(item: Touched) -> Window | None:
    """From the last reading before the quarter hour on, with what the register had shown by then."""
    start = quarter_start(item.quarter)
    readings = Reading.objects.filter(meter=item.meter_id).values_list("taken_at", flat=True)
    before = readings.filter(taken_at__lt=start).order_by("-taken_at").first()
    begin = before or readings.filter(taken_at__gte=start).order_by("taken_at").first()
    if begin is None:
        return None
    earlier = Load.objects.filter(meter=item.meter_id, quarter__lt=item.quarter, register__isnull=False)
    last = earlier.order_by("-quarter").first() if before else None
    if last is None:
        return item.meter_id, to_microseconds(begin), None, None
    shown = last.register if last.register_shown is None else last.register_shown
    return item.meter_id, to_microseconds(begin), last.register, shown


def _delete_outdated(since: dict[int, int], loads: Sequence[Load], retained: int) -> list[tuple[int, int]]:
    """What a register had bridged until readings came for that time after all. Returns meters and quarter hours."""
    derived = {(load.meter_id, load.quarter) for load in loads}
    known = Load.objects.filter(meter__in=since, quarter__gte=max(retained, min(since.values())), samples=0)
    outdated = [
        (meter, quarter)
        for meter, quarter in known.values_list("meter_id", "quarter")
        if quarter >= since[meter] and (meter, quarter) not in derived
    ]
    for meter, quarter in outdated:
        Load.objects.filter(meter=meter, quarter=quarter).delete()
    return outdated


def _save_loads(loads: Sequence[Load]) -> None:
    Load.objects.bulk_create(loads, update_conflicts=True, unique_fields=["meter", "quarter"], update_fields=DERIVED)


def _sum_days(changed: list[tuple[int, int]], retained: int) -> Iterator[int]:
    """Write the totals of the local days on which these quarter hours of meters lie."""
    buildings = {
        meter.pk: meter.building
        for meter in Meter.objects.filter(pk__in={meter for meter, _ in changed}).select_related("building")
    }
    days: defaultdict[tuple[Building, dt.date], set[int]] = defaultdict(set)
    for meter, quarter in changed:
        building = buildings[meter]
        days[building, quarter_start(quarter).astimezone(building.zone).date()].add(meter)
    for (building, date), meters in days.items():
        yield _sum_day(meters, building, date, retained)


def _sum_day(meters: set[int], building: Building, date: dt.date, retained: int) -> int:
    begin, end = day_quarters(building, date)
    loads = Load.objects.filter(meter__in=meters, quarter__gte=begin, quarter__lt=end)
    sums = loads.order_by().values_list("meter").annotate(*(Sum(name) for name in SUMMED))
    totals = [DayTotal(meter_id=meter, date=date, **dict(zip(SUMMED, summed, strict=True))) for meter, *summed in sums]
    if begin < retained:
        # Of a day that long ago loads may be erased by now: a total is never replaced by what is left of it.
        known = dict(DayTotal.objects.filter(meter__in=meters, date=date).values_list("meter", "covered"))
        totals = [total for total in totals if total.covered >= known.get(total.meter_id, 0)]
    else:
        summed = [total.meter_id for total in totals]
        DayTotal.objects.filter(meter__in=meters, date=date).exclude(meter__in=summed).delete()
    DayTotal.objects.bulk_create(
        totals, update_conflicts=True, unique_fields=["meter", "date"], update_fields=[*SUMMED]
    )
    return len(totals)


def day_quarters(building: Building, date: dt.date) -> tuple[int, int]:
    """The first quarter hour of a local day, and the first one after it: 92, 96 or 100 of them."""
    return quarter_of(building.midnight(date)), quarter_of(building.midnight(date + dt.timedelta(days=1)))


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
