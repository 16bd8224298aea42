"""The doctor notices that nobody turns readings into energy."""

import datetime as dt

import pytest
from django.utils import timezone

from metering.doctor.readings import check_energy
from metering.loads import derive_new
from tests.factories import ReadingFactory

pytestmark = pytest.mark.django_db


def finding():
    (found,) = check_energy()
    return found


def test_nothing_to_do(meter):
    assert finding().remedy == ""
    ReadingFactory(meter=meter)
    sum(derive_new())
    assert (finding().state, finding().remedy) == ("derived from all readings", "")


def test_the_newest_may_wait(meter):
    ReadingFactory(meter=meter)
    assert (finding().state, finding().remedy) == ("derived, but for the newest readings", "")


@pytest.mark.parametrize("own_clock", [False, True])
def test_older_ones_must_not(meter, own_clock):
    hour_ago = timezone.now() - dt.timedelta(hours=1)
    taken_at = hour_ago + dt.timedelta(days=1) if own_clock else hour_ago
    ReadingFactory(meter=meter, taken_at=taken_at, received_at=hour_ago if own_clock else None)
    assert finding().state == "readings have waited for 60 minutes to be derived"
    assert "riser-housekeep.timer" in finding().remedy
