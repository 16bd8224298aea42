"""New readings of all meters, each of them once."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection
from django.db.models import F

from metering.models import Reading
from metering.writers import writers

MOST_AT_ONCE = 5000
LONGEST_WRITE = 10.0
"""Seconds after which a number that was handed out and never appeared counts as given up."""
MOST_HOLES = 10_000


class Fresh(NamedTuple):
    """A reading, and the apartment that its meter belongs to at this moment; None for a meter of the building."""

    reading: Reading
    apartment: int | None


class News:
    """The readings that appear from the moment on in which this is made."""

    def __init__(self) -> None:
        self._newest = Reading.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self._holes: dict[int, float] = {}
        self.has_more = False
        """Whether the last look left readings to the next one."""
        # Asked after the newest: who wrote at that moment has committed by then, or is seen.
        if writers():
            self._newest = max(0, self._newest - MOST_HOLES)
            self._note(list(Reading.objects.filter(pk__gt=self._newest).values_list("pk", flat=True)))

    @property
    def settled(self) -> int:
        """The number up to which all readings have been told; those above may be told again to who begins there."""
        return min(self._holes, default=self._newest + 1) - 1

    def look(self) -> Sequence[Fresh]:
        """What appeared since the last look, in the order of its numbers."""
        newer = Reading.objects.filter(pk__gt=self._newest).order_by("pk").annotate(apartment=F("meter__apartment"))
        found = list(newer[:MOST_AT_ONCE])
        self.has_more = len(found) == MOST_AT_ONCE
        if self._holes:
            late = Reading.objects.filter(pk__in=list(self._holes)).annotate(apartment=F("meter__apartment"))
            found = [*late.order_by("pk"), *found]
        self._note([reading.pk for reading in found])
        return [Fresh(reading, reading.apartment) for reading in found]

    def _note(self, told: Sequence[int]) -> None:
        """PostgreSQL hands out numbers before it commits: with several listeners a lower one may appear later."""
        now = time.monotonic()
        if connection.vendor == "postgresql":
            appeared = set(told)
            expected = range(self._newest + 1, max(told, default=0) + 1)
            self._holes |= {number: now for number in expected[-MOST_HOLES:] if number not in appeared}
            since = now - LONGEST_WRITE
            self._holes = {n: at for n, at in self._holes.items() if n not in appeared and at > since}
        self._newest = max(self._newest, *told, 0)
