"""Which readings may go, and letting them go without holding anybody up."""

import contextlib
import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from metering.derivation.windows import LOOKBACK
from metering.models import Load, LoadProgress, Meter, Pruning, Reading
from metering.models.instant import EPOCH
from metering.models.load import quarter_of, quarter_start

# SQLite knows one writer at a time, and one that waits looks again after 1, 3, 8, 18, 33, 53, 78, 103 ms,
# and then ever less often. So that it finds nobody there before 100 ms have passed, a chunk must take less than
# 50 ms, also where the disk takes twice as long as usual; and the pause after it must be longer than those
# steps: as long as the chunk, where a busy machine made it longer.
CHUNK_SECONDS = 0.02
PAUSE_SECONDS = 0.03
# What a chunk costs hardly depends on its size: each has a page of the index to change for every meter.
FEWEST, FIRST, MOST = 100, 1000, 5000
LATE_KEPT = dt.timedelta(days=1)
"""What comes later than readings are kept for stays so long after it came: the rest of its time may follow."""


def deletable() -> QuerySet[Reading]:
    """The readings before the instant up to which their meter is pruned that may go.

    Those that a resident saved stay, and those whose energy is not derived yet. The newest of a meter is never before
    that instant. Whatever else a reading is needed for has to be a condition here, or of that instant: everything is
    deleted through it.
    """
    derived = LoadProgress.objects.filter(derived_to__gte=OuterRef("pk"))
    return Reading.objects.filter(Exists(derived), taken_at__lt=F("meter__pruning__pruned_to"), saved_at__isnull=True)


def prune(before: dt.datetime, pause: Callable[[float], object]) -> Iterator[int]:
    """Delete what was taken before that instant and may go, in chunks, and `pause` for some seconds after each one.

    Yields the number of each chunk deleted; safe to stop after any.
    """
    LoadProgress.objects.filter(pruned_to__lt=before).update(pruned_to=before)
    _note_how_far(before)
    yield from in_chunks(_delete_all, pause)


def _note_how_far(before: dt.datetime) -> None:
    """Note of each meter the quarter hour from which on its readings stay, before any of the others goes.

    Energy of a time before that is never derived again from what is left of it.
    """
    noted = _noted()
    derived_to = LoadProgress.objects.filter(pk=1).values_list("derived_to", flat=True).first() or 0
    old = Reading.objects.filter(meter=OuterRef("pk"), taken_at__lt=before).order_by("-taken_at").values("taken_at")
    moved: defaultdict[dt.datetime, list[int]] = defaultdict(list)
    for meter, newest in Meter.objects.annotate(newest=old[:1]).values_list("pk", "newest"):
        pruned_to = noted.get(meter, EPOCH)
        # Most of the time it is still the quarter hour after that one, and nothing to move.
        if newest and quarter_of(newest) > quarter_of(pruned_to) + 1:
            moved[_prunable_to(meter, pruned_to, before, derived_to)].append(meter)
    with transaction.atomic():
        for instant, meters in moved.items():
            Pruning.objects.bulk_create([Pruning(meter_id=meter) for meter in meters], ignore_conflicts=True)
            # Never back, whoever else does this at once.
            Pruning.objects.filter(meter__in=meters, pruned_to__lt=instant).update(pruned_to=instant)


def _prunable_to(meter: int, since: dt.datetime, before: dt.datetime, derived_to: int) -> dt.datetime:
    """The quarter hour of that meter's last reading before those that the next ones of a backlog change.

    They follow its newest one, whose quarter hour they change, or all since its register was shown last. What came a
    short while ago stays with all that is newer.
    """
    old = Reading.objects.filter(meter=meter, taken_at__lt=before).order_by("-taken_at")
    instants = old.values_list("taken_at", flat=True)
    late = Q(received_at__gte=timezone.now() - LATE_KEPT) | Q(pk__gt=derived_to)
    newest = instants.filter(taken_at__lt=instants.filter(late, taken_at__gte=since).last() or before).first()
    if newest is None:
        return EPOCH
    changed = _last_shown(meter, quarter_of(newest) + 1) or quarter_of(newest)
    last = instants.filter(taken_at__lt=quarter_start(changed)).first()
    return quarter_start(_last_shown(meter, changed) or quarter_of(last)) if last else EPOCH


def _last_shown(meter: int, quarter: int) -> int | None:
    """The newest quarter hour before that one in which the register was shown, as far back as that matters."""
    shown = Load.objects.filter(meter=meter, quarter__gte=quarter - 1 - LOOKBACK, quarter__lt=quarter)
    newest: int | None = shown.filter(register__isnull=False).aggregate(newest=Max("quarter"))["newest"]
    return newest


def _noted() -> dict[int, dt.datetime]:
    return dict(Pruning.objects.values_list("meter", "pruned_to"))


def in_chunks(delete: Callable[["Chunk"], Iterator[int]], pause: Callable[[float], object]) -> Iterator[int]:
    """Delete what `delete` deletes with the chunk it is handed, and `pause` for some seconds after each one.

    Yields the number of each chunk deleted; safe to stop after any.
    """
    chunk = Chunk()
    with checkpoints_between_chunks():
        for deleted in delete(chunk):
            yield deleted
            pause(max(PAUSE_SECONDS, chunk.seconds))


def _delete_all(chunk: "Chunk") -> Iterator[int]:
    pruned = _noted()
    yield from _prune_in_order_of_receipt(pruned, chunk)
    for meter, pruned_to in pruned.items():
        yield from _prune_meter(meter, pruned_to, chunk)


@contextlib.contextmanager
def checkpoints_between_chunks() -> Iterator[None]:
    """Keep SQLite from writing its log back within a commit, this one's or, once it is long, somebody else's."""
    before = _pragma("wal_autocheckpoint")
    _pragma("wal_autocheckpoint=0")
    try:
        yield
    finally:
        _pragma(f"wal_autocheckpoint={before}")


def checkpoint() -> None:
    """Write SQLite's log back as far as nobody needs it: here, and not in somebody else's commit."""
    _pragma("wal_checkpoint(PASSIVE)")


def _pragma(text: str) -> int:
    """The first figure that SQLite answers with; elsewhere, and in a transaction, it is not asked and this is 0."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return 0
    with connection.cursor() as cursor:
        answer = cursor.execute(f"PRAGMA {text}").fetchone()
        return int(answer[0]) if answer else 0


def _prune_in_order_of_receipt(pruned: dict[int, dt.datetime], chunk: "Chunk") -> Iterator[int]:
    """From the oldest row up to where none is too old: neighbours in the file, so little is written."""
    start = 0
    while True:
        window = Reading.objects.filter(pk__gt=start).order_by("pk")[: chunk.size]
        taken = list(window.values_list("pk", "meter", "taken_at"))
        if not any(taken_at < pruned.get(meter, EPOCH) for _, meter, taken_at in taken):
            return
        end = taken[-1][0]
        yield chunk.delete(deletable().filter(pk__gt=start, pk__lte=end))
        start = end


def _prune_meter(meter: int, pruned_to: dt.datetime, chunk: "Chunk") -> Iterator[int]:
    """What came late, among newer readings of other meters."""
    yield from chunk.delete_all(deletable().filter(meter=meter, taken_at__lt=pruned_to).order_by("taken_at"))


class Chunk:
    """Deletes in transactions of their own, as many rows at a time as go in CHUNK_SECONDS on this machine now."""

    def __init__(self) -> None:
        self.size = FIRST
        self.seconds = 0.0

    def delete_all(self, rows: QuerySet[Any]) -> Iterator[int]:
        """Until there are none left, in their order. Yields how many were deleted each time."""
        while keys := list(rows.values_list("pk", flat=True)[: self.size]):
            yield self.delete(rows.filter(pk__in=keys))

    def delete(self, rows: QuerySet[Any]) -> int:
        """Returns how many were deleted."""
        began = time.monotonic()
        with transaction.atomic():
            deleted, _ = rows.delete()
        self.seconds = time.monotonic() - began
        if self.seconds > CHUNK_SECONDS:
            self.size = max(self.size // 2, FEWEST)
        elif self.seconds < CHUNK_SECONDS / 2:
            self.size = min(self.size * 3 // 2, MOST)
        checkpoint()
        return deleted
