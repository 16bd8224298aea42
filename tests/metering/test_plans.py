"""No page and no housekeeping reads a large table from end to end: the plan of each query is looked at."""

import datetime as dt
import re
from collections import Counter

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Residence
from accounts.models import Building
from metering.live.watcher import _missed
from metering.loads import derive_new
from metering.models import DayTotal, Load, Meter, Reading
from metering.models.load import quarter_of
from metering.models.meter import meters_of
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory, TariffFactory, TenancyFactory
from tests.plans import plan, scans, sorts
from tests.shared_rows import kept_for_a_module
from tests.streams import whole

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
METERS, READINGS = 100, 192
YESTERDAY = dt.date(2026, 11, 24)
LOAD_DAYS, TOTAL_DAYS = 30, 365


@pytest.fixture(autouse=True, scope="module")
def house(django_db_setup, django_db_blocker):
    """Enough rows for a database to know what is large, and that an apartment's are few of them: two days
    of readings, a month of loads, a year of totals. One apartment has two meters.
    """
    with kept_for_a_module(django_db_blocker), time_machine.travel(NOW, tick=False):
        cache.clear()
        building = BuildingFactory(slug="house", timezone="Europe/Berlin")
        TariffFactory(building=building, rates={"Day": ("0.4", "06:00-22:00"), "Night": ("0.2", "")})
        homes = [ApartmentFactory(building=building, number=str(101 + number)) for number in range(METERS)]
        for each in [*Meter.objects.ensure_native(homes), MeterFactory(apartment=homes[0], topic="garage")]:
            Reading.objects.bulk_create(
                Reading(meter=each, taken_at=NOW - dt.timedelta(minutes=15 * n), voltage=230, current=1, power=230)
                for n in range(READINGS)
            )
        sum(derive_new())
        age()
        # Once, and not at the end of each test.
        connection.check_constraints()
        yield building


def age():
    """Of the last two days are made those before."""
    loads = [field.column for field in Load._meta.local_concrete_fields if field.name != "quarter"]
    totals = [field.column for field in DayTotal._meta.local_concrete_fields if field.name not in {"id", "date"}]
    with connection.cursor() as cursor:
        for days in range(2, LOAD_DAYS, 2):
            cursor.execute(
                f"INSERT INTO metering_load (quarter, {', '.join(loads)}) SELECT quarter - %s, {', '.join(loads)}"
                " FROM metering_load WHERE quarter >= %s AND quarter < %s",
                [96 * days, quarter_of(NOW) - 192, quarter_of(NOW)],
            )
        for days in range(2, TOTAL_DAYS):
            cursor.execute(
                f"INSERT INTO metering_daytotal (date, {', '.join(totals)}) SELECT %s, {', '.join(totals)}"
                " FROM metering_daytotal WHERE date = %s",
                [YESTERDAY - dt.timedelta(days=days), YESTERDAY],
            )
        cursor.execute("ANALYZE")


@pytest.fixture
def building(house, db):
    return house


@pytest.fixture
def apartment(building):
    return building.apartments.get(number="101")


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


def widest(asked):
    """How many lower bounds of one column a query has at most: with two, SQLite may seek by the wrong one."""
    bounds = re.compile(r'"(taken_at|quarter)" >=? ')
    return max(max(Counter(bounds.findall(query["sql"])).values(), default=0) for query in asked.captured_queries)


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


DOWNLOADS = [
    *[f"/export?what={what}&format=csv" for what in ("readings", "quarter-hours", "days", "months")],
    "/export?what=readings&format=csv&since=2026-11-24&until=2026-11-24",
    "/export?what=quarter-hours&format=xml", "/account/data",
]  # fmt: skip


@pytest.mark.parametrize("path", DOWNLOADS)
def test_downloads_of_a_resident(as_resident, path):
    with CaptureQueriesContext(connection) as asked:
        assert len(whole(as_resident.get(path))) > 100
    assert any("metering_" in query["sql"] for query in asked.captured_queries)
    assert scans(asked) == []
    assert sorts(asked) == []
    assert widest(asked) <= 1


def test_downloads_of_a_household_that_came_back(as_resident, tenancy, resident):
    tenancy.moved_out = YESTERDAY - dt.timedelta(days=1)
    tenancy.save()
    TenancyFactory(apartment=tenancy.apartment, moved_in=YESTERDAY).residents.add(resident)
    for what in ("readings", "quarter-hours"):
        with CaptureQueriesContext(connection) as asked:
            assert whole(as_resident.get(f"/export?what={what}&format=csv")).count(b"\n") > 200
        assert scans(asked) == []
        assert sorts(asked) == []
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
    assert page.count('<a class="cell') == METERS
    assert scans(asked) == []
    assert any("metering_reading" in query["sql"] for query in asked.captured_queries)


def test_a_minutes_readings(house):
    at = NOW + dt.timedelta(seconds=5)
    Reading.objects.bulk_create(
        Reading(meter=meter, taken_at=at, voltage=230, current=1, power=230) for meter in Meter.objects.all()
    )
    with CaptureQueriesContext(connection) as asked:
        assert sum(derive_new()) > 0
    assert sum(query["sql"].lstrip().startswith("WITH") for query in asked.captured_queries) > 2
    assert scans(asked) == []


def test_what_a_page_missed_is_looked_for_among_what_came_since(house):
    """Not among all that the household ever had: pages come back often, and wait for each other."""
    residence = Residence.of(TenancyFactory(apartment=house.apartments.get(number="101")))
    meters_of(residence)
    settled = Reading.objects.latest("pk").pk
    with CaptureQueriesContext(connection) as asked:
        assert _missed(residence, settled - 300, settled)
    (query,) = asked.captured_queries
    steps = plan(query["sql"])
    assert any("INTEGER PRIMARY KEY" in step or "metering_reading_pkey" in step for step in steps), steps
    assert sorts(asked) == []


@pytest.mark.postgres
def test_nothing_is_compiled():
    """Compiling took longer than the longest query of a page."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)
