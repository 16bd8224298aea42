"""What has to be done again and again: energy is derived, what is old goes."""

import datetime as dt
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from metering.erasure import ERASURES
from metering.loads import derive_new
from metering.retention import PAUSE_SECONDS, checkpoint, checkpoints_between_chunks, in_chunks, prune


class Command(BaseCommand):
    """Runs once, or every so many seconds until SIGTERM or SIGINT. Safe to kill at any time."""

    help = (
        "Derive energy from new readings. Delete readings past READING_RETENTION_DAYS, except saved ones and the "
        "newest of each meter, and what is "
        "kept about people past its time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--every", type=float, metavar="SECONDS", help="go on, with this pause")

    def handle(self, *args: Any, every: float | None = None, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while True:
            self.derive(stop, quiet=every is not None)
            self.prune(stop, quiet=every is not None)
            self.erase(stop)
            if every is None or stop.wait(every):
                break

    def derive(self, stop: threading.Event, quiet: bool) -> None:
        written = 0
        with checkpoints_between_chunks():
            for number in derive_new():
                written += number
                checkpoint()
                if stop.wait(PAUSE_SECONDS):
                    break
        if written and not quiet:
            self.stdout.write(f"{written:,} loads and totals of days written")

    def prune(self, stop: threading.Event, quiet: bool) -> None:
        deleted = 0
        before = timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS)
        for number in prune(before, stop.wait):
            deleted += number
            if deleted % 100_000 < number:
                self.stdout.write(f"{deleted:,} readings deleted so far")
            if stop.is_set():
                break
        if deleted or not quiet:
            self.stdout.write(f"{deleted:,} readings older than {settings.READING_RETENTION_DAYS} days deleted")

    def erase(self, stop: threading.Event) -> None:
        for what, delete in ERASURES.items():
            if stop.is_set():
                return
            deleted = 0
            for number in in_chunks(delete, stop.wait):
                deleted += number
                if stop.is_set():
                    break
            if deleted:
                self.stdout.write(f"{deleted:,} {what} deleted")
