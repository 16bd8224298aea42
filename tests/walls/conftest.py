from collections.abc import Iterator

import pytest
import time_machine as clock

from tests.fakes import NOON
from tests.shared_rows import kept_for_a_module
from tests.walls.cast import Cast, gather


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture(scope="module")
def gathered(django_db_setup, django_db_blocker) -> Iterator[Cast]:
    """Everybody, once for all tests of a module: to gather them takes longer than most of these."""
    with kept_for_a_module(django_db_blocker), clock.travel(NOON, tick=False):
        yield gather()


@pytest.fixture
def cast(gathered: Cast, db: None) -> Cast:
    """A copy, and its rows in a transaction: a test may change them as it likes."""
    return gathered.copy()
