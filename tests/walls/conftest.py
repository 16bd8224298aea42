import pytest

from tests.fakes import NOON
from tests.walls.cast import Cast, gather


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def cast(db) -> Cast:
    return gather()
