"""Readings -> loads: energy per quarter hour.

Only what new or late readings touch is derived again, to the newest one. What is written depends on nothing but the
readings that were read, so this may be stopped and repeated. Of two at once the later one may write what it read
earlier: what came meanwhile is then derived once more.
"""

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min, Value
from django.db.models.functions import Least
from django.utils import timezone

from metering.day_totals import sum_days
from metering.derivation import derive, touched_from, windows_from
from metering.models import Load, LoadProgress, Meter, Pruning, Reading
from metering.models.instant import to_microseconds
from metering.models.load import quarter_of, quarter_start
from metering.writers import writers

T = TypeVar("T")

READINGS_AT_ONCE = 100_000
"""New ones that are derived in one pass, so that memory stays small."""
METERS_IN_A_PASS = 5000
"""With new readings: each takes four of the parameters of a statement, of which SQLite allows 32,766."""
METERS_AT_ONCE = 10
"""Of which all readings are derived anew in one pass."""
ROWS_AT_ONCE = 200
"""Written in one transaction, which others wait for."""
LONGEST_WAIT = 2.0
"""Seconds for which a transaction that writes readings is waited for."""
OPEN_QUARTERS = 4
"""So far back quarter hours that nobody has derived yet are derived when somebody looks."""
LOADS_KEPT = dt.timedelta(days=27)
"""At least: they are erased a calendar month after a household left or later, by the date of its building."""
DERIVED = [field.name for field in Load._meta.concrete_fields if field.name not in {"meter", "quarter"}]


def derive_new() -> Iterator[int]:
    """Derive what readings that came since the last time touch.

    Yields the number of rows written in each transaction; safe to stop after any.
    """
    progress, _ = LoadProgress.objects.get_or_create(pk=1)
    top = _newest_settled()
    if top is None or top == progress.derived_to:
        return
    new = Reading.objects.filter(pk__gt=progress.derived_to, pk__lte=top)
    for firsts in _in_passes(new.order_by().values_list("meter_id").annotate(Count("pk"), Min("taken_at"))):
        yield from _derive(touched_from({meter: to_microseconds(first) for meter, first in firsts.items()}))
    _advance(progress.derived_to, top)


def rebuild(since: dt.datetime | None = None) -> Iterator[int]:
    """Derive everything anew that the retained readings allow, or what of it lies after that instant.

    Yields the number of rows written in each transaction. Stopped in between, it is to be begun again.
    """
    start = quarter_of(since) if since else 0
    progress, _ = LoadProgress.objects.get_or_create(pk=1)
    complete = _complete_from(Meter.objects.order_by("pk").values_list("pk", flat=True))
    try:
        for some in _parts(list(complete), METERS_AT_ONCE):
            yield from _derive({meter: max(complete[meter], start) for meter in some})
    finally:
        # Others may have derived meanwhile what was not read here, and this has written over it.
        _go_back(progress.derived_to)


def open_loads(meters: Sequence[int], now: dt.datetime) -> list[Load]:
    """The loads of these meters that may not be stored yet, with those to be replaced by them; not saved.

    From the newest stored one on, which may lack what came since. Where nobody derives, of the last hour only.
    """
    earliest = quarter_of(now) - OPEN_QUARTERS
    # One with its clock ahead may have some of the time to come already.
    newest = Load.objects.filter(meter__in=meters, quarter__gte=earliest, quarter__lte=quarter_of(now)).order_by()
    known = dict(newest.values_list("meter").annotate(Max("quarter")))
    starts = {meter: known.get(meter, earliest) for meter in meters}
    windows = windows_from(starts) if starts else []
    return [load for load in derive(windows) if load.quarter >= starts[load.meter_id]] if windows else []


def retained_from() -> int:
    """The first quarter hour of which all readings of all meters are still there."""
    cutoff = timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS)
    pruned = LoadProgress.objects.filter(pk=1).values_list("pruned_to", flat=True).first()
    return quarter_of(max(cutoff, pruned) if pruned else cutoff) + 1


def _advance(begin: int, top: int) -> None:
    """Note how far it is done. Where somebody else did the same meanwhile, what both did is done again."""
    if not LoadProgress.objects.filter(pk=1, derived_to=begin).update(derived_to=top):
        _go_back(begin)


def _go_back(number: int) -> None:
    """Have what came after that reading derived once more."""
    LoadProgress.objects.filter(pk=1).update(derived_to=Least("derived_to", Value(number)))


def _newest_settled() -> int | None:
    """The newest reading, below which none will appear any more. None where there is none, or nobody can tell now.

    SQLite has one writer at a time, whose numbers go up. PostgreSQL hands out numbers before it commits: all who are
    writing now are waited for. Whoever begins later gets a higher number.
    """
    newest = Reading.objects.order_by("-pk").values_list("pk", flat=True).first()
    give_up_at = time.monotonic() + LONGEST_WAIT
    waited_for = writers()
    while waited_for:
        if time.monotonic() > give_up_at:
            return None
        time.sleep(0.01)
        waited_for &= writers()
    return newest


def _in_passes(found: Iterable[tuple[int, int, dt.datetime]]) -> Iterator[dict[int, dt.datetime]]:
    """Meters with their first new reading, as many at once as the two limits allow."""
    some: dict[int, dt.datetime] = {}
    readings = 0
    for meter, number, first in found:
        some[meter] = first
        readings += number
        if readings >= READINGS_AT_ONCE or len(some) >= METERS_IN_A_PASS:
            yield some
            some, readings = {}, 0
    if some:
        yield some


def _complete_from(meters: Iterable[int]) -> dict[int, int]:
    """The first quarter hour of each of these meters of which all is still there that it was derived from."""
    pruned = dict(Pruning.objects.values_list("meter", "pruned_to"))
    # What the first quarter hour that is kept needs of those before it is gone.
    return {meter: quarter_of(pruned[meter]) + 1 if meter in pruned else 0 for meter in meters}


def _derive(since: dict[int, int]) -> Iterator[int]:
    """Derive the loads of these meters, each from that quarter hour on."""
    windows = windows_from(since)
    loads = [load for load in derive(windows) if load.quarter >= since[load.meter_id]] if windows else []
    # Asked after the readings were read: whoever deletes some of them has noted it before.
    complete = _complete_from(since)
    all_loads_from = min(quarter_start(retained_from()), timezone.now() - LOADS_KEPT)
    for some in _parts(loads, ROWS_AT_ONCE):
        _save_loads([load for load in some if load.quarter >= complete[load.meter_id]])
        _add_loads([load for load in some if load.quarter < complete[load.meter_id]])
        yield len(some)
        # Part by part: whoever is stopped leaves no day that is not the sum of its quarter hours for long.
        yield from sum_days([(load.meter_id, load.quarter) for load in some], all_loads_from)
    outdated = _delete_outdated({meter: max(first, complete[meter]) for meter, first in since.items()}, loads)
    yield from sum_days(outdated, all_loads_from)


def _delete_outdated(since: dict[int, int], loads: Sequence[Load]) -> list[tuple[int, int]]:
    """What a register had bridged until readings came for that time after all. Returns meters and quarter hours."""
    derived = {(load.meter_id, load.quarter) for load in loads}
    known = Load.objects.filter(meter__in=since, quarter__gte=min(since.values()), samples=0)
    outdated = [
        (meter, quarter)
        for meter, quarter in known.values_list("meter_id", "quarter")
        if quarter >= since[meter] and (meter, quarter) not in derived
    ]
    with transaction.atomic():
        for meter, quarter in outdated:
            Load.objects.filter(meter=meter, quarter=quarter).delete()
    return outdated


def _add_loads(loads: Iterable[Load]) -> None:
    """Of a time whose readings are gone: quarter hours of late readings where there was none, and nothing else.

    Not what a register says over a longer time: readings that are gone may have counted that already.
    """
    heard = [load for load in loads if load.samples]
    for load in heard:
        load.energy -= load.bridged
        load.bridged = 0
    Load.objects.bulk_create(heard, ignore_conflicts=True)


def _save_loads(loads: Sequence[Load]) -> None:
    Load.objects.bulk_create(loads, update_conflicts=True, unique_fields=["meter", "quarter"], update_fields=DERIVED)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
