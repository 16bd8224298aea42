"""Which readings are new: none is left out, none waits for a number that never comes."""

import pytest

from metering.live import news
from tests.factories import ReadingFactory


def test_a_flood_is_told_in_parts(meter, monkeypatch):
    monkeypatch.setattr(news, "MOST_AT_ONCE", 2)
    found = news.News()
    for power in range(3):
        ReadingFactory(meter=meter, power=power)
    assert [fresh.reading.power for fresh in found.look()] == [0, 1]
    assert found.has_more
    assert [fresh.reading.power for fresh in found.look()] == [2]
    assert not found.has_more


@pytest.mark.postgres
def test_a_number_that_is_committed_later_is_told_and_nobody_begins_after_it(meter):
    """Two listeners: the one that took its number first commits last."""
    found = news.News()
    first, second = ReadingFactory.build(meter=meter, power=1), ReadingFactory.build(meter=meter, power=2)
    first.pk = found.settled + 1
    second.pk = found.settled + 2
    second.save(force_insert=True)
    before = found.settled
    assert [fresh.reading.power for fresh in found.look()] == [2]
    assert found.settled == before
    assert list(found.look()) == []
    first.save(force_insert=True)
    assert [fresh.reading.power for fresh in found.look()] == [1]
    assert found.settled == second.pk


@pytest.mark.postgres
def test_a_number_that_never_appears_is_given_up(meter, monkeypatch):
    found = news.News()
    second = ReadingFactory.build(meter=meter, power=2)
    second.pk = found.settled + 2
    second.save(force_insert=True)
    found.look()
    assert found.settled < second.pk
    monkeypatch.setattr(news, "LONGEST_WRITE", 0.0)
    found.look()
    assert found.settled == second.pk
