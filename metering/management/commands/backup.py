"""A copy of the database, while Riser runs."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from metering.backup import BackupError, back_up


class Command(BaseCommand):
    """Prints where the copy is, how large it is, and what was found in it."""

    help = "Copy the database into a file, or under a dated name into a folder. Riser may run meanwhile."
    # Those of the pages would take half of the time that a start takes.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="a new file, or a folder")
        parser.add_argument("--keep", type=int, metavar="N", help="in a folder: delete all but the newest N copies")
        parser.add_argument("--force", action="store_true", help="replace a file that is there already")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep"] is not None and options["keep"] < 1:
            raise CommandError("--keep takes a number from 1.")
        try:
            copy = back_up(options["path"], timezone.now(), options["keep"], options["force"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{copy.path}: {filesizeformat(copy.size)}, {copy.contents}")
