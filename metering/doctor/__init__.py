"""What is wrong with an installation, and how to mend it."""

from collections.abc import Callable, Iterator

from metering.doctor.broker import check_broker
from metering.doctor.clock import check_clock
from metering.doctor.database import check_database, check_migrations, check_sqlite
from metering.doctor.finding import Finding
from metering.doctor.readings import check_buildings, check_energy, check_listeners
from metering.doctor.web import check_mail, check_static_files

__all__ = ["Finding", "examine"]

CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_static_files, check_sqlite, check_mail, check_clock, check_broker, check_listeners, check_buildings,
    check_energy,
)  # fmt: skip


def examine() -> Iterator[Finding]:
    """Look at everything an installation needs. Stops where the database or its tables are not there."""
    for check in (check_database, check_migrations):
        finding = check()
        yield finding
        if finding.remedy:
            return
    for each in CHECKS:
        yield from each()
