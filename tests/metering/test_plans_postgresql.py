"""Deriving seeks each meter's newest readings: PostgreSQL, left to itself, would read all that there are."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.loads import derive_new
from metering.models import Meter, Reading
from tests.factories import ApartmentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
METERS, READINGS = 200, 200


def measure(meters, at):
    Reading.objects.bulk_create(Reading(meter=meter, taken_at=at, voltage=230, current=1, power=1) for meter in meters)


@pytest.fixture
def meters(building, time_machine):
    """Of which everything is derived, and the planner knows how much that is."""
    time_machine.move_to(NOW, tick=False)
    meters = Meter.objects.ensure_native([ApartmentFactory(building=building) for _ in range(METERS)])
    for number in range(READINGS):
        taken_at = NOW - dt.timedelta(minutes=1 + number)
        Reading.objects.bulk_create(
            Reading(meter=m, taken_at=taken_at, voltage=230, current=1, power=1) for m in meters
        )
    sum(derive_new())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return meters


def plans_of(asked):
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            if query["sql"].lstrip().startswith("WITH"):
                cursor.execute(f"EXPLAIN {query['sql']}")
                yield "\n".join(row[0] for row in cursor.fetchall())


def test_a_minutes_readings(meters):
    measure(meters, NOW)
    with CaptureQueriesContext(connection) as asked:
        assert sum(derive_new()) > 0
    plans = list(plans_of(asked))
    assert len(plans) > 2
    read = ("Seq Scan on metering_reading", "Seq Scan on metering_load")
    assert [plan for plan in plans if any(whole in plan for whole in read)] == []


def test_nothing_is_compiled(db):
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)
