"""Which readings may go, and letting them go without holding anybody up."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from metering.models import LoadProgress, Meter, Reading

# SQLite knows one writer at a time, and one that waits looks again after 1, 3, 8, 18, 33, 53, 78, 103 ms,
# and then ever less often. So that it finds nobody there before 100 ms have passed, a chunk must take less than
# 50 ms, also where the disk takes twice as long as usual; and the pause after it must be longer than those
# steps: as long as the chunk, where a busy machine made it longer.
CHUNK_SECONDS = 0.02
PAUSE_SECONDS = 0.03
# What a chunk costs hardly depends on its size: each has a page of the index to change for every meter.
FEWEST, FIRST, MOST = 100, 1000, 5000


def deletable(before: dt.datetime) -> QuerySet[Reading]:
    """The readings taken before that instant that may go.

    Those that a resident saved stay, and those whose energy is not derived yet. So does the newest of each meter
    before that instant: the interval that the first one after it ends begins there. Whatever else a reading is
    needed for has to be a condition here: everything is deleted through it.
    """
    newer = Reading.objects.filter(meter=OuterRef("meter"), taken_at__gt=OuterRef("taken_at"), taken_at__lt=before)
    derived = LoadProgress.objects.filter(derived_to__gte=OuterRef("pk"))
    return Reading.objects.filter(Exists(newer), Exists(derived), taken_at__lt=before, saved_at__isnull=True)


def prune(before: dt.datetime, pause: Callable[[float], object]) -> Iterator[int]:
    """Delete what is deletable, in chunks, and `pause` for some seconds after each one.

    Yields the number of each chunk deleted; safe to stop after any.
    """
    # Energy of older readings is never derived again from what is left of them.
    LoadProgress.objects.filter(pruned_to__lt=before).update(pruned_to=before)
    yield from in_chunks(lambda chunk: _delete_all(before, chunk), pause)


def in_chunks(delete: Callable[["Chunk"], Iterator[int]], pause: Callable[[float], object]) -> Iterator[int]:
    """Delete what `delete` deletes with the chunk it is handed, and `pause` for some seconds after each one.

    Yields the number of each chunk deleted; safe to stop after any.
    """
    chunk = Chunk()
    with checkpoints_between_chunks():
        for deleted in delete(chunk):
            yield deleted
            pause(max(PAUSE_SECONDS, chunk.seconds))


def _delete_all(before: dt.datetime, chunk: "Chunk") -> Iterator[int]:
    yield from _prune_in_order_of_receipt(before, chunk)
    for meter in Meter.objects.all():
        yield from _prune_meter(meter, before, chunk)


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


def _prune_in_order_of_receipt(before: dt.datetime, chunk: "Chunk") -> Iterator[int]:
    """From the oldest row up to where none is too old: neighbours in the file, so little is written."""
    start = 0
    while True:
        window = Reading.objects.filter(pk__gt=start).order_by("pk")[: chunk.size]
        taken = list(window.values_list("pk", "taken_at"))
        if not any(taken_at < before for _, taken_at in taken):
            return
        end = taken[-1][0]
        yield chunk.delete(deletable(before).filter(pk__gt=start, pk__lte=end))
        start = end


def _prune_meter(meter: Meter, before: dt.datetime, chunk: "Chunk") -> Iterator[int]:
    """What came late, among newer readings of other meters."""
    yield from chunk.delete_all(deletable(before).filter(meter=meter).order_by("taken_at"))


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
