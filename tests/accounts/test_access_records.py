"""Who looked at my data."""

import datetime as dt

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessRecord, User
from accounts.trace import record_access
from metering.models import Band, DayTotal, Load, Meter, Reading, RejectedMessage
from metering.week import ALL_WEEK
from tests.factories import MeterFactory, ReadingFactory, TenancyFactory, UserFactory

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 23, 12, 30, tzinfo=dt.UTC)
PAGE = "/account/access"
LIST = "/admin/metering/reading/"


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def reading(meter):
    return ReadingFactory(meter=meter, voltage=231.25, taken_at=NOW)


@pytest.fixture
def as_root(db):
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "x"))
    return client


def log_in(user):
    client = Client()
    client.force_login(user)
    return client


def looks():
    rows = AccessRecord.objects.order_by("pk")
    return [(row.tenancy_id, row.viewer.email, row.role, row.what) for row in rows.select_related("viewer")]


class TestWhatIsRecorded:
    def test_a_list_that_shows_a_reading(self, as_manager, tenancy, reading):
        assert "231.25" in as_manager.get(LIST).content.decode()
        assert looks() == [(tenancy.pk, "manager@example.org", "manager", "list")]

    @pytest.mark.parametrize("view", ["change", "history", "delete"])
    def test_one_reading(self, as_manager, tenancy, reading, view):
        as_manager.get(f"{LIST}{reading.pk}/{view}/")
        assert looks() == [(tenancy.pk, "manager@example.org", "manager", "reading")]

    def test_a_superuser(self, as_root, tenancy, reading):
        as_root.get(LIST)
        assert looks() == [(tenancy.pk, "root@example.org", "administrator", "list")]

    def test_a_list_of_many_homes_in_few_queries(self, as_manager, building, tenancy, reading, neighbour_apartment):
        def ask():
            AccessRecord.objects.all().delete()
            with CaptureQueriesContext(connection) as queries:
                as_manager.get(LIST)
            return len(queries)

        few = ask()
        next_door = TenancyFactory(apartment=neighbour_apartment)
        ReadingFactory(meter=MeterFactory(apartment=neighbour_apartment), taken_at=NOW)
        assert ask() == few
        assert {look[0] for look in looks()} == {tenancy.pk, next_door.pk}

    def test_only_the_homes_whose_readings_are_on_the_page(self, as_manager, tenancy, meter, neighbour_apartment):
        other = TenancyFactory(apartment=neighbour_apartment)
        ReadingFactory(meter=MeterFactory(apartment=neighbour_apartment), taken_at=NOW)
        for minute in range(50):
            ReadingFactory(meter=meter, taken_at=NOW - dt.timedelta(minutes=minute))
        as_manager.get(LIST)
        assert {look[0] for look in looks()} == {tenancy.pk}
        as_manager.get(f"{LIST}?p=2")
        assert {look[0] for look in looks()} == {tenancy.pk, other.pk}

    def test_the_household_of_that_time(self, as_manager, apartment, meter):
        before = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 1, 1), moved_out=dt.date(2026, 11, 22))
        TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 11, 23))
        last_second = dt.datetime(2026, 11, 21, 22, 59, 59, tzinfo=dt.UTC)  # before midnight in Berlin
        reading = ReadingFactory(meter=meter, taken_at=last_second)
        as_manager.get(f"{LIST}{reading.pk}/change/")
        assert [look[0] for look in looks()] == [before.pk]
        vacant = ReadingFactory(meter=meter, taken_at=last_second + dt.timedelta(seconds=1))
        as_manager.get(f"{LIST}{vacant.pk}/change/")
        assert len(looks()) == 1

    def test_that_there_is_nothing_is_seen_too(self, as_manager, tenancy, meter):
        as_manager.get(f"{LIST}?meter={meter.pk}")
        assert looks() == [(tenancy.pk, "manager@example.org", "manager", "list")]

    @pytest.mark.parametrize("query", ["power__gt=100", "meter_id=1", "meter__apartment__number=101", "saved_by=1"])
    def test_figures_cannot_be_asked_for_without_a_row(self, as_manager, tenancy, reading, query):
        assert as_manager.get(f"{LIST}?{query}").status_code == 400

    def test_looking_again_in_the_hour_is_one_record(self, as_manager, tenancy, reading, time_machine):
        for minutes in (0, 10, 29, 30):
            time_machine.move_to(NOW + dt.timedelta(minutes=minutes), tick=False)
            as_manager.get(LIST)
        later, first = AccessRecord.objects.all()
        assert (first.first_at, first.last_at) == (NOW, NOW + dt.timedelta(minutes=29))
        assert later.first_at == NOW + dt.timedelta(minutes=30)

    def test_refused_messages_of_a_home(self, as_manager, building, tenancy, meter):
        own = {"received_at": NOW, "reason": "Not JSON.", "building": building, "payload": b'{"voltage": 231.25'}
        message = RejectedMessage.objects.create(topic="electricity/house/floor/101", **own)
        RejectedMessage.objects.create(topic="electricity/house/floor/999", **own)
        as_manager.get("/admin/metering/rejectedmessage/")
        assert looks() == [(tenancy.pk, "manager@example.org", "manager", "rejected")]
        AccessRecord.objects.all().delete()
        as_manager.get(f"/admin/metering/rejectedmessage/{message.pk}/change/")
        assert len(looks()) == 1

    @pytest.mark.parametrize("step", [{}, {"post": "yes"}])
    def test_refused_messages_that_are_about_to_be_deleted(self, as_manager, building, tenancy, meter, step):
        topic = "electricity/house/floor/101"
        message = RejectedMessage.objects.create(
            received_at=NOW, topic=topic, building=building, payload=b"x", reason="The voltage is 1,500 V."
        )
        form = {"action": "delete_selected", "_selected_action": [message.pk]} | step
        as_manager.post("/admin/metering/rejectedmessage/", form)
        assert looks() == [(tenancy.pk, "manager@example.org", "manager", "rejected")]

    def test_refused_messages_from_before_the_apartment_was_renamed(
        self, as_manager, building, tenancy, meter, time_machine
    ):
        topic = "electricity/house/floor/101"
        RejectedMessage.objects.create(received_at=NOW, topic=topic, building=building, payload=b"x", reason="x")
        time_machine.shift(dt.timedelta(hours=1))
        apartment = tenancy.apartment
        apartment.number = "1a"
        apartment.save()
        as_manager.get("/admin/metering/rejectedmessage/")
        assert looks() == [(tenancy.pk, "manager@example.org", "manager", "rejected")]
        AccessRecord.objects.all().delete()
        RejectedMessage.objects.update(received_at=NOW + dt.timedelta(hours=2))
        as_manager.get("/admin/metering/rejectedmessage/")
        assert looks() == []

    def test_refused_messages_from_before_the_building_was_renamed(self, as_manager, building, tenancy, meter):
        topic = "electricity/house/floor/101"
        RejectedMessage.objects.create(received_at=NOW, topic=topic, building=building, payload=b"x", reason="x")
        with time_machine.travel(NOW + dt.timedelta(hours=1), tick=False):
            building.slug = "villa"
            building.save()
        as_manager.get("/admin/metering/rejectedmessage/")
        assert looks() == [(tenancy.pk, "manager@example.org", "manager", "rejected")]

    def test_refused_messages_from_before_the_meter_had_another_topic(
        self, as_root, building, tenancy, meter, time_machine
    ):
        RejectedMessage.objects.create(received_at=NOW, topic="old/topic", payload=b"x", reason="x")
        own = MeterFactory(building=building, apartment=tenancy.apartment, topic="old/topic")
        time_machine.shift(dt.timedelta(hours=1))
        own.topic = "new/topic"
        own.save()
        as_root.get("/admin/metering/rejectedmessage/")
        assert looks() == [(tenancy.pk, "root@example.org", "administrator", "rejected")]

    def test_refused_messages_of_a_meter_with_its_own_topic(self, as_root, building, tenancy):
        MeterFactory(apartment=tenancy.apartment, topic="shelly/7")
        own = {"received_at": NOW, "reason": "Not JSON.", "payload": b"231.25"}
        RejectedMessage.objects.create(topic="shelly/7", **own)
        as_root.get("/admin/metering/rejectedmessage/")
        assert looks() == [(tenancy.pk, "root@example.org", "administrator", "rejected")]


class TestWhatIsNot:
    def test_ones_own_home(self, as_manager, manager, tenancy, reading):
        tenancy.residents.add(manager)
        as_manager.get(LIST)
        as_manager.get("/")
        assert looks() == []

    def test_residents(self, as_resident, reading):
        for path in ("/", "/history", "/api/power-data"):
            assert as_resident.get(path).status_code == 200
        assert looks() == []

    def test_a_manager_of_another_building_sees_and_records_nothing(self, tenancy, reading, neighbour):
        stranger = UserFactory()
        MeterFactory().building.managers.add(stranger)
        client = log_in(stranger)
        client.get(LIST)
        client.get(f"{LIST}?meter={reading.meter_id}")
        client.get(f"{LIST}{reading.pk}/change/")
        assert looks() == []

    def test_pages_that_show_no_figures(self, as_manager, tenancy, resident, reading):
        reading.power = 5432.1
        reading.save()
        for path in (
            "", "metering/meter/", f"metering/meter/{reading.meter_id}/change/", "accounts/apartment/",
            f"accounts/apartment/{tenancy.apartment_id}/change/", f"accounts/tenancy/{tenancy.pk}/change/",
            f"accounts/user/{resident.pk}/change/", f"metering/meter/{reading.meter_id}/history/",
            f"metering/meter/{reading.meter_id}/delete/", "metering/listenerstate/",
        ):  # fmt: skip
            response = as_manager.get(f"/admin/{path}")
            assert response.status_code == 200
            page = response.content.decode()
            assert "231.25" not in page, path
            assert "5432" not in page, path
            assert "5,432" not in page, path
        assert looks() == []


def test_a_meter_with_readings_is_not_deleted_nor_are_they_listed(as_manager, tenancy, reading):
    form = {"post": "yes"}
    page = as_manager.post(f"/admin/metering/meter/{reading.meter_id}/delete/", form).content.decode()
    link = f'<a href="/admin/metering/meter/{reading.meter_id}/change/">house/101</a>'
    assert f"The readings of {link}" in page
    assert "Fill in “removed at” instead." in page
    assert "Back to house/101" in page
    form = {"action": "delete_selected", "_selected_action": reading.meter_id, "post": "yes"}
    page = as_manager.post("/admin/metering/meter/", form).content.decode()
    assert f"The readings of {link}" in page
    assert "Fill in “removed at” instead." in page
    assert Meter.objects.count() == 1
    Reading.objects.all().delete()
    assert as_manager.post(f"/admin/metering/meter/{reading.meter_id}/delete/", {"post": "yes"}).status_code == 302
    assert Meter.objects.count() == 0


def test_nor_is_one_of_which_only_energy_is_left(as_manager, tenancy, meter):
    quarter = Load(meter=meter, quarter=1, energy=77_700, exported=0, bridged=0, covered=900, samples=1)
    quarter.save(force_insert=True)
    band = Band.objects.of_hours(ALL_WEEK)[0]
    DayTotal.objects.create(
        meter=meter, date=NOW.date(), band=band, energy=88_800_000, exported=0, bridged=0, covered=9
    )
    path = f"/admin/metering/meter/{meter.pk}/delete/"
    page = as_manager.get(path).content.decode()
    assert "77.7" not in page
    assert "88.8" not in page
    as_manager.post(path, {"post": "yes"})
    assert Meter.objects.filter(pk=meter.pk).exists()


@pytest.mark.parametrize("path", [LIST, f"{LIST}%s/change/"])
def test_what_cannot_be_recorded_is_not_shown(as_manager, tenancy, reading, monkeypatch, path):
    def full(*args, **kwargs):
        raise DatabaseError("disk full")

    monkeypatch.setattr(type(AccessRecord.objects), "bulk_create", full)
    as_manager.raise_request_exception = False
    response = as_manager.get(path.replace("%s", str(reading.pk)))
    assert response.status_code == 500
    assert "231.25" not in response.content.decode()


class TestThePage:
    @pytest.fixture
    def look(self, manager, tenancy):
        record_access(manager, [(tenancy.apartment_id, NOW)], AccessRecord.What.LIST)

    def test_who_when_and_what(self, as_resident, look):
        page = as_resident.get(PAGE).content.decode()
        assert "manager@example.org" in page
        assert "Building manager · saw a list of readings" in page
        assert "23 Nov 2026, 13:30" in page  # in Berlin
        assert 'href="/account/access"' in as_resident.get("/account").content.decode()

    def test_the_whole_household_reads_it(self, tenancy, resident, look):
        flatmate = UserFactory()
        tenancy.residents.add(flatmate)
        assert "manager@example.org" in log_in(flatmate).get(PAGE).content.decode()

    def test_who_let_themselves_into_the_household(
        self, as_resident, as_manager, as_neighbour, manager, tenancy, resident
    ):
        for people in ([resident.pk, manager.pk], [resident.pk]):
            form = {"apartment": tenancy.apartment_id, "moved_in": "2025-01-01", "moved_out": "", "residents": people}
            assert as_manager.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form).status_code == 302
        page = as_resident.get(PAGE).content.decode()
        assert "<strong>manager@example.org</strong> joined" in page
        assert "<strong>manager@example.org</strong> left" in page
        assert "by manager@example.org" in page
        assert "manager@example.org" not in as_neighbour.get(PAGE).content.decode()

    def test_neighbours_do_not(self, as_neighbour, look):
        page = as_neighbour.get(PAGE).content.decode()
        assert "Nobody has looked at your readings." in page
        assert "manager@example.org" not in page

    def test_who_moved_out_keeps_theirs_and_the_next_household_does_not_see_them(self, as_resident, tenancy, look):
        tenancy.moved_out = dt.date(2026, 11, 23)
        tenancy.save()
        newcomer = UserFactory()
        TenancyFactory(apartment=tenancy.apartment, moved_in=dt.date(2026, 11, 23)).residents.add(newcomer)
        assert "manager@example.org" in as_resident.get(PAGE).content.decode()
        assert "manager@example.org" not in log_in(newcomer).get(PAGE).content.decode()

    def test_an_account_that_was_deleted(self, as_resident, manager, look):
        manager.delete()
        page = as_resident.get(PAGE).content.decode()
        assert "An account that was deleted" in page
        assert "Building manager · saw" in page

    def test_pages(self, as_resident, manager, tenancy, look):
        first = AccessRecord.objects.get()
        for hour in range(1, 60):
            earlier = NOW - dt.timedelta(hours=hour)
            first.pk, first.hour, first.first_at, first.last_at = None, earlier, earlier, earlier
            first.save(force_insert=True)
        assert as_resident.get(PAGE).content.decode().count("manager@example.org") == 50
        assert as_resident.get(f"{PAGE}?page=2").content.decode().count("manager@example.org") == 10
        assert as_resident.get(f"{PAGE}?page=nonsense").status_code == 200


class TestInAdmin:
    @pytest.fixture
    def record(self, as_manager, tenancy, reading):
        as_manager.get(LIST)
        return AccessRecord.objects.get()

    def test_a_manager_reads_those_of_the_own_building(self, as_manager, record):
        elsewhere = UserFactory()
        MeterFactory().building.managers.add(elsewhere)
        path = f"/admin/accounts/accessrecord/{record.pk}/change/"
        assert "house/101" in as_manager.get("/admin/accounts/accessrecord/").content.decode()
        assert as_manager.get(path).status_code == 200
        assert "house/101" not in log_in(elsewhere).get("/admin/accounts/accessrecord/").content.decode()
        assert log_in(elsewhere).get(path).status_code == 404

    def test_nobody_takes_one_back(self, as_manager, as_root, tenancy, record):
        path = f"/admin/accounts/accessrecord/{record.pk}/"
        for client in (as_manager, as_root):
            assert client.post(f"{path}delete/", {"post": "yes"}).status_code == 403
            assert client.post(f"{path}change/", {"what": "reading"}).status_code == 403
            assert client.get("/admin/accounts/accessrecord/add/").status_code == 403
            form = {"action": "delete_selected", "_selected_action": record.pk, "post": "yes"}
            client.post("/admin/accounts/accessrecord/", form)
            page = client.post(f"/admin/accounts/tenancy/{tenancy.pk}/delete/", {"post": "yes"})
            assert page.status_code == 403
            form = {"action": "delete_selected", "_selected_action": tenancy.pk, "post": "yes"}
            client.post("/admin/accounts/tenancy/", form)
        assert AccessRecord.objects.get().what == "list"
