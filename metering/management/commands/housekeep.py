"""What has to be done again and again: energy is derived, what is old goes."""

import datetime as dt
import signal
import threading
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from metering.housekeeping import Housekeeping


def date_utc(text: str) -> dt.datetime:
    """The midnight, UTC, with which that date begins."""
    try:
        return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC)
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a date such as 2026-11-20") from None


class Command(BaseCommand):
    """Runs once, or every so many seconds until SIGTERM or SIGINT. Safe to kill at any time."""

    help = (
        "Derive energy from new readings. Delete readings past READING_RETENTION_DAYS, except saved ones and the "
        "newest of each meter, and what is kept about people past its time."
    )
    # Those of the pages would take half of the time that a start takes.
    requires_system_checks: list[str] = ["retention"]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--every", type=float, metavar="SECONDS", help="go on, with this pause")
        parser.add_argument("--rebuild", action="store_true", help="derive energy anew of all readings kept, and end")
        parser.add_argument("--since", type=date_utc, metavar="DATE", help="with --rebuild: from that day on (UTC)")

    def handle(self, *args: Any, every: float | None, rebuild: bool, since: dt.datetime | None, **options: Any) -> None:
        if (since and not rebuild) or (every and rebuild):
            raise CommandError("--since goes with --rebuild, and --every does not.")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        housekeeping = Housekeeping(stop.wait, self.stdout.write, quiet=every is not None)
        if rebuild:
            housekeeping.rebuild(since)
            return
        housekeeping.round()
        while every is not None and not stop.wait(every):
            housekeeping.round()
