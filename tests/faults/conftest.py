"""Each fault has a broker, a database and a house of its own; a table at the end says what was counted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker import Broker
from tests.databases import Template
from tests.faults.publisher import APARTMENTS
from tests.faults.trial import Trial
from tests.installation import Installation, environment, run_manage

COLUMNS = ("published", "stored", "distinct", "lost", "sent again", "recognised", "faults", "seconds", "peak MiB")


@pytest.fixture(scope="session")
def template_database(template_database: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """With a house in it."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "apartments.csv").write_text("number,floor\n" + "".join(f"{number},1\n" for number in APARTMENTS))
    settings = environment(template_database.url, folder, 1)
    run_manage(settings, "import_apartments", "house", str(folder / "apartments.csv"))
    return template_database


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
def trial(installation: Installation, broker: Broker, record_property: Callable[[str, Any], None]) -> Trial:
    return Trial(installation, broker, record_property)


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
    for test, row in sorted(rows):
        terminalreporter.line(
            "  ".join(f"{row.get(name, ''):>10}" for name in COLUMNS) + f"  {test.removeprefix('test_')}"
        )
