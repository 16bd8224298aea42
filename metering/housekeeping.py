"""What has to be done again and again, step by step; each step is safe to stop and says what it did."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from metering.day_totals import apply_tariffs
from metering.erasure import ERASURES
from metering.loads import derive_new, rebuild
from metering.retention import PAUSE_SECONDS, checkpoint, checkpoints_between_chunks, in_chunks, prune


@dataclass(frozen=True)
class Housekeeping:
    """One round. `pause` waits for so many seconds and returns whether to stop; `say` tells the operator."""

    pause: Callable[[float], bool]
    say: Callable[[str], object]
    quiet: bool = False
    """Whether to say nothing of what happens every time."""

    def round(self) -> None:
        """Energy first: only what is derived may be deleted."""
        for step in (self.derive, self.apply_tariffs, self.prune, self.erase):
            step()
            if self.pause(0):
                return

    def derive(self) -> None:
        """Energy of new readings."""
        written = self._count(derive_new())
        if written and not self.quiet:
            self.say(f"{written:,} loads and totals of days written")

    def rebuild(self, since: dt.datetime | None) -> None:
        """Energy of all readings that are kept, or of those from that instant on."""
        self.say(f"{self._count(rebuild(since)):,} loads and totals of days written")

    def apply_tariffs(self) -> None:
        """Days whose tariff is new or was changed."""
        written = self._count(apply_tariffs())
        if written:
            self.say(f"{written:,} totals of days put under their tariff")

    def prune(self) -> None:
        """Readings whose time is over."""
        deleted = 0
        before = timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS)
        for number in prune(before, self.pause):
            deleted += number
            if deleted % 100_000 < number:
                self.say(f"{deleted:,} readings deleted so far")
            if self.pause(0):
                break
        if deleted or not self.quiet:
            self.say(f"{deleted:,} readings older than {settings.READING_RETENTION_DAYS} days deleted")

    def erase(self) -> None:
        """What is kept about people past its time."""
        for what, delete in ERASURES.items():
            deleted = 0
            for number in in_chunks(delete, self.pause):
                deleted += number
                if self.pause(0):
                    break
            if deleted:
                self.say(f"{deleted:,} {what} deleted")
            if self.pause(0):
                return

    def _count(self, numbers: Iterator[int]) -> int:
        written = 0
        with checkpoints_between_chunks():
            for number in numbers:
                written += number
                checkpoint()
                if self.pause(PAUSE_SECONDS):
                    break
        return written
