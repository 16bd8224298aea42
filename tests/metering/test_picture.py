"""The picture of a building on the first page of admin: what it says, to whom, and at which cost."""

import datetime as dt
import re

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessRecord, Invitation, JoinRequest, User
from metering.house import picture
from metering.models import Meter, Reading
from tests.factories import (
    ApartmentFactory,
    BuildingFactory,
    ListenerStateFactory,
    MeterFactory,
    ReadingFactory,
    TenancyFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 23, 12, 30, tzinfo=dt.UTC)
INDEX = "/admin/"


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def as_root(db):
    return log_in(User.objects.create_superuser("root@example.org", "x"))


def log_in(user):
    client = Client()
    client.force_login(user)
    return client


def fill(building, number, power=230.0, households=True):
    """Apartments on ten floors with a meter each that was heard now; returns the meters."""
    homes = [ApartmentFactory(building=building, number=f"{n:03}", floor=str(n % 10)) for n in range(number)]
    meters = Meter.objects.ensure_native(homes)
    for meter in meters:
        ReadingFactory(meter=meter, taken_at=NOW, power=power)
        if households:
            TenancyFactory(apartment=meter.apartment)
    return meters


def measure(apartment, seconds_ago, power=230.0):
    meter = apartment.meters.first() or MeterFactory(apartment=apartment)
    return ReadingFactory(meter=meter, taken_at=NOW - dt.timedelta(seconds=seconds_ago), power=power)


def page_of(client, path=INDEX):
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def cells(page):
    """What stands in each cell, by the path of its link."""
    found = re.findall(r'<a class="cell[^"]*"[^>]*href="([^"]+)">(.*?)</a>', page, re.DOTALL)
    return {path: " ".join(re.sub("<[^>]+>", "", inside).split()) for path, inside in found}


def cell(page, apartment):
    return cells(page)[f"/admin/accounts/apartment/{apartment.pk}/change/"]


def figures(page):
    """The figures above the floors."""
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return {name: " ".join(re.sub("<[^>]+>", " ", inside).split()) for name, inside in pairs}


def with_loads(building):
    return f"{INDEX}?loads={building.pk}"


class TestWhatItSays:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(5, "2.3 kW"), (120, "2.3 kW late"), (7300, "silent for 2 hours")],
    )
    def test_how_an_apartment_is_heard(self, as_manager, building, tenancy, seconds, words):
        measure(tenancy.apartment, seconds, power=2300)
        assert cell(page_of(as_manager, with_loads(building)), tenancy.apartment) == f"Apartment 101, floor 1, {words}"

    def test_without_loads_it_says_how_and_not_how_much(self, as_manager, tenancy):
        measure(tenancy.apartment, 5, power=2300)
        page = page_of(as_manager)
        assert cell(page, tenancy.apartment) == "Apartment 101, floor 1, live"
        assert "2.3 kW" not in page
        assert "load-" not in page

    def test_never_heard_no_meter_and_nobody_there(self, as_manager, meter, neighbour_apartment):
        page = page_of(as_manager)
        assert cell(page, meter.apartment) == "Apartment 101, floor 1, never heard empty"
        assert cell(page, neighbour_apartment) == "Apartment 201, floor 2, no meter empty"
        assert figures(page)["Silent meters"] == "1 of 2 apartments"

    def test_a_meter_that_was_removed_is_none(self, as_manager, building, tenancy):
        measure(tenancy.apartment, 5)
        tenancy.apartment.meters.update(removed_at=NOW)
        assert cell(page_of(as_manager, with_loads(building)), tenancy.apartment).endswith(", no meter")

    def test_of_several_meters_the_sum_and_the_worst_state(self, as_manager, building, tenancy):
        measure(tenancy.apartment, 5, power=500)
        for number, seconds in enumerate((5, 3600)):
            other = MeterFactory(apartment=tenancy.apartment, topic=f"own/{number}")
            ReadingFactory(meter=other, taken_at=NOW - dt.timedelta(seconds=seconds), power=300)
        assert cell(page_of(as_manager, with_loads(building)), tenancy.apartment).endswith("800 W silent for 1 hour")

    @pytest.mark.parametrize(
        ("power", "step"), [(-500, 0), (99.9, 0), (100, 1), (299, 1), (300, 2), (1000, 3), (3000, 4), (6000, 5)]
    )
    def test_the_colours_are_those_of_the_legend(self, as_manager, building, tenancy, power, step):
        measure(tenancy.apartment, 5, power=power)
        page = page_of(as_manager, with_loads(building))
        assert re.search(rf'<a class="cell live load-{step}"', page)
        legend = re.findall(r'<li class="load-\d">(.*?)</li>', page)
        assert legend == [
            "under 100 W", "100 W to 300 W", "300 W to 1.0 kW", "1.0 kW to 3.0 kW", "3.0 kW to 6.0 kW",
            "6.0 kW and more",
        ]  # fmt: skip

    def test_floors_from_the_top_apartments_by_number(self, as_manager, building):
        for number, floor in (("10", "10"), ("9", "10"), ("8", "9"), ("7", "-1"), ("6", "EG")):
            ApartmentFactory(building=building, number=number, floor=floor)
        page = page_of(as_manager)
        assert re.findall(r"<h3 id=\"floor[^>]*>(.*?)</h3>", page) == ["Floor 10", "Floor 9", "Floor EG", "Floor -1"]
        assert re.findall(r"<strong>(\d+)</strong><span", page) == ["9", "10", "8", "6", "7"]

    def test_the_buildings_own_meters(self, as_manager, building, apartment):
        main = Meter.objects.create(building=building, topic="house/main", is_main=True, installed_at=NOW)
        lift = Meter.objects.create(building=building, topic="house/lift", serial="L-1", installed_at=NOW)
        ReadingFactory(meter=main, taken_at=NOW, power=18_400)
        page = page_of(as_manager)
        assert cells(page)[f"/admin/metering/meter/{main.pk}/change/"] == "Main meter house/main 18.4 kW"
        assert cells(page)[f"/admin/metering/meter/{lift.pk}/change/"] == "Common meter L-1 never heard"

    def test_who_waits(self, as_manager, building, tenancy, neighbour_apartment):
        JoinRequest.objects.create(user=UserFactory(), apartment=neighbour_apartment)
        JoinRequest.objects.create(user=UserFactory(), apartment=neighbour_apartment, state="refused")
        gone = TenancyFactory(
            apartment=neighbour_apartment, moved_in=dt.date(2025, 1, 1), moved_out=dt.date(2026, 1, 1)
        )
        for number, (home, days) in enumerate(((tenancy, 3), (tenancy, -3), (gone, 3), (gone, -3))):
            ends = NOW + dt.timedelta(days=days)
            Invitation.objects.create(tenancy=home, token_hash=str(number), expires_at=ends)
        page = page_of(as_manager)
        assert cell(page, neighbour_apartment).endswith("empty 1 request")
        assert figures(page)["Join requests"] == "1 waiting for you"
        assert figures(page)["Invitations"] == "1 open, 1 expired"
        for path in re.findall(r'<dd><a href="([^"]+)"', page):
            assert as_manager.get(path.replace("&amp;", "&")).status_code == 200, path

    def test_an_invitation_ran_out_where_nobody_has_come_yet(self, as_manager, resident, tenancy):
        Invitation.objects.create(tenancy=tenancy, token_hash="x", expires_at=NOW - dt.timedelta(days=1))
        assert figures(page_of(as_manager))["Invitations"] == "0 open"

    def test_whether_readings_can_come_at_all(self, as_manager, apartment):
        assert figures(page_of(as_manager))["Reception"] == "Listener not running Broker not connected"
        ListenerStateFactory(broker_connected=True)
        assert figures(page_of(as_manager))["Reception"] == "Listener running Broker connected"

    def test_names_that_people_made_up_are_text(self, as_manager, building, apartment):
        building.name = "<b>House</b>"
        building.save()
        assert "<b>House" not in page_of(as_manager)

    def test_a_new_installation(self, as_root):
        page = page_of(as_root)
        assert "No building yet" in page
        assert "/admin/accounts/building/add/" in page

    def test_a_building_without_apartments(self, as_manager):
        page = page_of(as_manager)
        assert "This building has no apartments yet." in page
        assert "import_apartments house FILE.csv" in page


class TestTheTotal:
    def test_of_a_few_apartments_it_is_not_told(self, as_manager, building):
        """It would tell of single ones without a record."""
        fill(building, picture.FEWEST_IN_A_SUM - 1)
        assert "Load now" not in figures(page_of(as_manager))
        assert figures(page_of(as_manager, with_loads(building)))["Load now"] == "2.1 kW 9 of 9 apartments heard"

    def test_of_many_it_is(self, as_manager, building):
        for meter in fill(building, picture.FEWEST_IN_A_SUM):
            assert meter.readings.count() == 1
        page = page_of(as_manager)
        assert figures(page)["Load now"] == "2.3 kW 10 of 10 apartments heard"
        assert AccessRecord.objects.count() == 0

    def test_of_apartments_where_nobody_lives_it_would_tell_of_the_others(self, as_manager, building):
        meters = fill(building, picture.FEWEST_IN_A_SUM, power=0.0, households=False)
        for meter in meters[1:]:
            TenancyFactory(apartment=meter.apartment)
        assert "Load now" not in figures(page_of(as_manager))
        TenancyFactory(apartment=meters[0].apartment)
        assert "Load now" in figures(page_of(as_manager))

    def test_a_silent_meter_is_no_part_of_it(self, as_manager, building):
        fill(building, picture.FEWEST_IN_A_SUM)
        measure(ApartmentFactory(building=building, number="late"), 3600, power=9_000)
        assert figures(page_of(as_manager))["Load now"] == "2.3 kW 10 of 11 apartments heard"


class TestWhoSeesWhat:
    def test_managers_see_their_own_buildings_and_a_superuser_all(self, as_manager, as_root, apartment):
        other = ApartmentFactory(building=BuildingFactory(name="Other Court"), number="777")
        elsewhere = UserFactory()
        other.building.managers.add(elsewhere)
        assert "777" not in str(cells(page_of(as_manager)))
        assert "Other Court" not in page_of(as_manager)
        assert "House by the Sea" not in page_of(log_in(elsewhere))
        assert set(cells(page_of(as_root))) == {
            f"/admin/accounts/apartment/{home.pk}/change/" for home in (apartment, other)
        }

    def test_the_picture_by_itself(self, as_manager, as_root, as_resident, apartment):
        other = ApartmentFactory(building=BuildingFactory(name="Other Court"))
        own, foreign = (f"/admin/accounts/building/{home.building_id}/picture/" for home in (apartment, other))
        assert cell(page_of(as_manager, own), apartment)
        assert as_manager.get(foreign).status_code == as_manager.get(f"{foreign}?loads=1").status_code == 404
        assert page_of(as_root, foreign)
        for path in (own, INDEX):
            assert as_resident.get(path).status_code == 302
            assert Client().get(path).status_code == 302

    def test_of_many_buildings_one_is_chosen(self, as_root):
        homes = [ApartmentFactory(building=BuildingFactory(name=f"Court {n}")) for n in range(4)]
        page = page_of(as_root)
        assert len(cells(page)) == 1
        assert page.count("<option") >= 4
        chosen = page_of(as_root, f"{INDEX}?building={homes[2].building_id}")
        assert cell(chosen, homes[2])
        for nonsense in ("999", "x", "", "9" * 40):
            assert cell(page_of(as_root, f"{INDEX}?building={nonsense}&loads={nonsense}"), homes[0])

    def test_nobody_chooses_a_building_of_others(self, as_manager, apartment):
        other = ApartmentFactory(building=BuildingFactory(name="Other Court"))
        page = page_of(as_manager, f"{INDEX}?building={other.building_id}&loads={other.building_id}")
        assert "Other Court" not in page


class TestWhatIsRecorded:
    def test_loads_are_recorded_and_the_household_reads_it(self, as_manager, as_resident, building, tenancy):
        measure(tenancy.apartment, 5)
        page_of(as_manager)
        assert AccessRecord.objects.count() == 0
        page_of(as_manager, with_loads(building))
        assert list(AccessRecord.objects.values_list("tenancy", "what")) == [(tenancy.pk, "now")]
        assert "saw the power of the moment" in page_of(as_resident, "/account/access")

    def test_also_by_the_picture_itself(self, as_manager, building, tenancy):
        measure(tenancy.apartment, 5)
        page_of(as_manager, f"/admin/accounts/building/{building.pk}/picture/?loads={building.pk}")
        assert AccessRecord.objects.count() == 1

    def test_who_is_not_heard_is_not_looked_at(self, as_manager, building, tenancy):
        measure(tenancy.apartment, 3600)
        page_of(as_manager, with_loads(building))
        assert AccessRecord.objects.count() == 0

    def test_an_open_page_writes_once_a_minute(self, as_manager, building, tenancy, time_machine):
        path = f"/admin/accounts/building/{building.pk}/picture/?loads={building.pk}"
        for seconds in range(0, 130, 5):
            at = NOW + dt.timedelta(seconds=seconds)
            time_machine.move_to(at, tick=False)
            Reading.objects.all().delete()
            measure(tenancy.apartment, -seconds)
            with CaptureQueriesContext(connection) as asked:
                page_of(as_manager, path)
            writes = [query["sql"] for query in asked if query["sql"].startswith(("INSERT", "UPDATE"))]
            assert bool(writes) == (seconds % 60 == 0), seconds
        record = AccessRecord.objects.get()
        assert (record.first_at, record.last_at) == (NOW, NOW + dt.timedelta(seconds=120))

    def test_what_cannot_be_recorded_is_not_shown(self, as_manager, building, tenancy, monkeypatch):
        def full(*args, **kwargs):
            raise DatabaseError("disk full")

        measure(tenancy.apartment, 5, power=2300)
        monkeypatch.setattr(type(AccessRecord.objects), "bulk_create", full)
        as_manager.raise_request_exception = False
        for path in (with_loads(building), f"/admin/accounts/building/{building.pk}/picture/?loads={building.pk}"):
            response = as_manager.get(path)
            assert response.status_code == 500
            assert "2.3 kW" not in response.content.decode()


@pytest.mark.parametrize("loads", [False, True])
def test_a_large_house_asks_no_more_of_the_database(as_manager, building, loads):
    path = with_loads(building) if loads else INDEX
    fill(building, 4)
    page_of(as_manager, path)
    asked = []
    for number in (0, 36):
        for n in range(number):
            home = ApartmentFactory(building=building, number=f"more{n}", floor=str(n))
            measure(home, 5)
            TenancyFactory(apartment=home)
        page_of(as_manager, path)
        with CaptureQueriesContext(connection) as queries:
            page_of(as_manager, path)
        asked.append(len(queries))
    assert asked[0] == asked[1] < 25
