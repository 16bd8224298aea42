"""What has to be done again and again: old readings go."""

import datetime as dt
import signal
import threading
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from metering.retention import prune


class Command(BaseCommand):
    """Runs once, or every so many seconds until SIGTERM or SIGINT. Safe to kill at any time."""

    help = "Delete readings past READING_RETENTION_DAYS, except saved ones and the newest of each meter."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--every", type=float, metavar="SECONDS", help="go on, with this pause")

    def handle(self, *args: Any, every: float | None = None, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while True:
            self.housekeep(stop, quiet=every is not None)
            if every is None or stop.wait(every):
                break

    def housekeep(self, stop: threading.Event, quiet: bool) -> None:
        deleted = 0
        for number in prune(timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS), stop.wait):
            deleted += number
            if deleted % 100_000 < number:
                self.stdout.write(f"{deleted:,} readings deleted so far")
            if stop.is_set():
                break
        SessionStore.clear_expired()
        if deleted or not quiet:
            self.stdout.write(f"{deleted:,} readings older than {settings.READING_RETENTION_DAYS} days deleted")
