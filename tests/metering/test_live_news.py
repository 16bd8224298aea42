"""Which readings are new: none is left out, none waits for a number that never comes."""

import pytest
from django.db import connection, transaction

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


@pytest.fixture
def other_listener():
    """The connection of one that is in the middle of a transaction."""
    other = connection.copy()
    other.set_autocommit(False)
    yield other
    other.close()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_number_that_is_not_committed_yet_when_it_begins_is_told(other_listener, meter, monkeypatch):
    """Two listeners: one has taken its number and the other, with a higher one, is done as the first page opens."""
    ReadingFactory(meter=meter, power=0)
    with other_listener.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)"
            " SELECT meter_id, taken_at - interval '1 second', voltage, current, 1, note FROM metering_reading"
        )
    higher = ReadingFactory(meter=meter, power=2)
    found = news.News()
    assert list(found.look()) == []
    before = found.settled
    other_listener.commit()
    [fresh] = found.look()
    assert fresh.reading.power == 1
    assert before < fresh.reading.pk
    monkeypatch.setattr(news, "LONGEST_WRITE", 0.0)
    assert list(found.look()) == []
    assert found.settled == higher.pk


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_numbers_that_nobody_can_commit_any_more_are_not_waited_for(other_listener, meter):
    """As a repetition takes them, which is stored no second time."""
    with transaction.atomic():
        ReadingFactory(meter=meter)
        transaction.set_rollback(True)
    newest = ReadingFactory(meter=meter)
    assert news.News().settled == newest.pk


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
