"""Each fault has a broker, a database and a house of its own; a table at the end says what was counted."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker import Broker
from tests.databases import Template, empty_template
from tests.faults.publisher import APARTMENTS
from tests.faults.trial import Trial
from tests.installation import Installation, environment, migrate, run_manage

COLUMNS = ("published", "stored", "distinct", "lost", "sent again", "recognised", "faults", "seconds", "peak MiB")


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """A migrated database with a house in it, to copy."""
    folder = tmp_path_factory.mktemp("template")
    template = empty_template(folder)
    migrate(template.url, folder)
    (folder / "apartments.csv").write_text("number,floor\n" + "".join(f"{number},1\n" for number in APARTMENTS))
    settings = environment(template.url, folder, 1)
    run_manage(settings, "import_apartments", "house", str(folder / "apartments.csv"))
    yield template
    template.drop()


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
