"""Back to a copy of the database."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from metering.backup import BackupError, check_nobody_listens, examine, keep_present, restore


class Command(BaseCommand):
    """Keeps a copy of what it replaces; asks before it does."""

    help = "Put a copy that `backup` has made in the database's place. Stop Riser before."
    # The present database may be anything, and the copy is brought up to date afterwards.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="the copy")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["path"]
        try:
            contents = examine(path)
            check_nobody_listens()
            if not options["yes"]:
                self.ask(f"Replace the database with {path} ({contents})?")
            kept = keep_present(path.absolute().parent, timezone.now())
            if kept:
                self.stdout.write(f"The present database is kept in {kept.path}")
            restore(path)
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored {path}: {contents}. Everybody has to log in again.")

    def ask(self, question: str) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nobody is here to ask. Say --yes to replace the database without being asked.")
        if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was changed.")
