"""Each fault has a broker, a database and a house of its own; a table at the end says what was counted."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker import Broker
from tests.faults.publisher import APARTMENTS
from tests.faults.trial import Trial
from tests.installation import Installation, Templates

COLUMNS = ("published", "stored", "distinct", "lost", "sent again", "recognised", "faults", "seconds", "peak MiB")


@pytest.fixture
def installation(tmp_path: Path, templates: Templates, broker: Broker) -> Iterator[Installation]:
    """The house that the publisher publishes for."""
    with Installation(tmp_path, templates, broker.port) as made:
        made.make_house(*APARTMENTS)
        yield made


@pytest.fixture
def broker_settings() -> tuple[str, ...]:
    """Lines of mosquitto.conf that a test wants."""
    return ("allow_anonymous true",)


@pytest.fixture
def broker(tmp_path: Path, broker_settings: tuple[str, ...]) -> Iterator[Broker]:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with Broker(folder, *broker_settings) as running:
        yield running


@pytest.fixture
def trial(installation: Installation, broker: Broker, record_property: Callable[[str, Any], None]) -> Iterator[Trial]:
    with contextlib.closing(Trial(installation, broker, record_property)) as made:
        yield made


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of figures."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    rows = [
        (r.nodeid.rpartition("::")[2], value) for r in reports for name, value in r.user_properties if name == "figures"
    ]
    if not rows:
        return
    terminalreporter.section("what was counted")
    terminalreporter.line("  ".join(f"{name:>10}" for name in COLUMNS))
    for test, row in sorted(rows, key=lambda pair: pair[0]):
        terminalreporter.line(
            "  ".join(f"{row.get(name, ''):>10}" for name in COLUMNS) + f"  {test.removeprefix('test_')}"
        )
