"""A check-up for operators."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from metering.doctor import examine


class Command(BaseCommand):
    """Prints a line for each thing looked at; exits 1 where one needs mending."""

    help = "Say what is wrong with this installation and how to mend it."
    # Those of the pages would take half of the time that a start takes.
    requires_system_checks: list[str] = ["mqtt"]

    def handle(self, *args: Any, **options: Any) -> None:
        ill = 0
        for finding in examine():
            ill += bool(finding.remedy)
            mark = self.style.ERROR("MEND") if finding.remedy else self.style.SUCCESS("ok  ")
            self.stdout.write(f"{mark} {finding.subject}: {finding.state}")
            if finding.remedy:
                self.stdout.write(f"     {finding.remedy}")
        if ill:
            sys.exit(1)
