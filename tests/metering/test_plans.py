"""No page and no housekeeping reads a large table from end to end: the plan of each query is looked at."""

import datetime as dt
import re
from collections import Counter

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Building
from metering.loads import derive_new
from metering.models import Meter, Reading
from tests.factories import ApartmentFactory, BuildingFactory, TariffFactory
from tests.shared_rows import kept_for_a_module

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
# By their names, and by what statements call them.
LARGE = ("metering_reading", "metering_load", "metering_daytotal", "r", "l")


@pytest.fixture(autouse=True, scope="module")
def house(django_db_setup, django_db_blocker):
    """Enough rows for SQLite to know what is large: of ten apartments, three days."""
    with kept_for_a_module(django_db_blocker), time_machine.travel(NOW, tick=False):
        cache.clear()
        building = BuildingFactory(slug="house", timezone="Europe/Berlin")
        TariffFactory(building=building, rates={"Day": ("0.4", "06:00-22:00"), "Night": ("0.2", "")})
        homes = [ApartmentFactory(building=building, number=str(number)) for number in range(101, 111)]
        for each in Meter.objects.ensure_native(homes):
            Reading.objects.bulk_create(
                Reading(meter=each, taken_at=NOW - dt.timedelta(minutes=5 * n), voltage=230, current=1, power=230)
                for n in range(3 * 288)
            )
        sum(derive_new())
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        yield building


@pytest.fixture
def building(house, db):
    return house


@pytest.fixture
def apartment(building):
    return building.apartments.get(number="101")


@pytest.fixture
def meter(apartment):
    return apartment.meters.get()


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


def scans(asked):
    """What is read from end to end, of the large tables."""
    found = []
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            if query["sql"].lstrip().startswith(("SELECT", "WITH")) and query["sql"] != STOPS_AT_ONCE:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plan = [row[3] for row in cursor.fetchall()]
                found += [(step, query["sql"]) for step in plan if is_scan(step)]
    return found


def widest(asked):
    """How many lower bounds of one column a query has at most: with two, SQLite may seek by the wrong one."""
    bounds = re.compile(r'"(taken_at|quarter)" >= ')
    return max(max(Counter(bounds.findall(query["sql"])).values(), default=0) for query in asked.captured_queries)


def is_scan(step):
    words = step.split()
    return words[0] == "SCAN" and words[1] in LARGE and "INDEX" not in words


# The newest row: SQLite begins at the end, and stops.
STOPS_AT_ONCE = 'SELECT "metering_reading"."id" AS "pk" FROM "metering_reading" ORDER BY 1 DESC LIMIT 1'


def test_a_scan_would_be_noticed():
    with CaptureQueriesContext(connection) as asked:
        list(Reading.objects.filter(power=1))
    assert len(scans(asked)) == 1


PAGES = [
    "/", "/history", "/history?since=2026-11-23", "/history?since=2026-11-01", "/history?since=2025-11-01",
    "/history?show=saved", "/api/curve?since=2026-11-23&until=2026-11-24", "/api/curve?since=2026-11-01",
    "/api/curve?since=2025-11-01", "/history?since=2026-11-23&until=2026-11-24&voltage=1&year_ago=1",
    "/history?since=2026-11-01&until=2026-11-30&voltage=1&year_ago=1", "/api/voltage?since=2026-11-25&until=2026-11-25",
    "/api/voltage?since=2026-11-01", "/api/energy?since=2026-01-01&until=2026-11-25&by=month",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_a_resident(as_resident, path):
    with CaptureQueriesContext(connection) as asked:
        assert as_resident.get(path).status_code == 200
    assert len(asked) > 3
    assert scans(asked) == []
    assert widest(asked) <= 1


@pytest.mark.parametrize("query", ["", "?year=2026", "?year=2026&month=10"])
def test_the_managers_table(as_manager, query):
    building = Building.objects.get()
    with CaptureQueriesContext(connection) as asked:
        assert as_manager.get(f"/admin/accounts/building/{building.pk}/energy/{query}").status_code == 200
    assert scans(asked) == []


@pytest.mark.parametrize("query", ["", "?loads=%s"])
def test_the_managers_picture(as_manager, query):
    building = Building.objects.get()
    with CaptureQueriesContext(connection) as asked:
        page = as_manager.get("/admin/" + query.replace("%s", str(building.pk))).content.decode()
    assert page.count('<a class="cell') == 10
    assert scans(asked) == []
    assert any("metering_reading" in query["sql"] for query in asked.captured_queries)


def test_a_minutes_readings(meter):
    Reading.objects.create(meter=meter, taken_at=NOW + dt.timedelta(seconds=5), voltage=230, current=1, power=230)
    with CaptureQueriesContext(connection) as asked:
        assert sum(derive_new()) > 0
    assert scans(asked) == []
