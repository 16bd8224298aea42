import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from metering.loads import derive_new
from metering.models import ListenerState, Reading
from tests.factories import MeterFactory, ReadingFactory, TenancyFactory, UserFactory

NOW = dt.datetime(2026, 11, 23, 8, 0, 1, 323_000, tzinfo=dt.UTC)
TAKEN = dt.datetime(2026, 11, 23, 8, 0, 0, 123_456, tzinfo=dt.UTC)


@pytest.fixture
def now(time_machine):
    time_machine.move_to(NOW, tick=False)
    return NOW


def listener(now, **fields):
    times = {"started_at": now, "heartbeat_at": now, "broker_changed_at": now}
    return ListenerState.objects.create(**({"name": "riser-listener", "broker_connected": True} | times | fields))


def power_data(client):
    return client.get("/api/power-data").json()


def test_the_contract(now, as_resident, meter):
    listener(now)
    ReadingFactory(meter=meter, taken_at=TAKEN, voltage=220.5, current=2.3)
    assert power_data(as_resident) == {
        "apartment": "101", "floor": "1", "voltage": 220.5, "current": 2.3, "power": 507.15,
        "timestamp": "2026-11-23T08:00:00.123Z", "age_seconds": 1.2,
        "status": {"listener": "up", "broker": "connected", "meter": "live"},
    }  # fmt: skip


def test_without_a_reading_measured_fields_are_null(as_resident, meter):
    data = power_data(as_resident)
    assert [data[name] for name in ("voltage", "current", "power", "timestamp", "age_seconds")] == [None] * 5
    assert data["status"] == {"listener": "down", "broker": "disconnected", "meter": "silent"}


def test_an_apartment_without_a_meter(as_resident):
    assert power_data(as_resident)["voltage"] is None


def test_one_household_does_not_see_another(as_resident, as_neighbour, meter):
    ReadingFactory(meter=meter, voltage=220.5)
    assert power_data(as_resident)["voltage"] == 220.5
    assert power_data(as_neighbour)["voltage"] is None
    assert power_data(as_neighbour)["apartment"] == "201"


def test_the_latest_reading_is_the_newest_of_all_meters(as_resident, apartment, now):
    old = MeterFactory(apartment=apartment, removed_at=now - dt.timedelta(minutes=5))
    new = MeterFactory(apartment=apartment, installed_at=now - dt.timedelta(minutes=5))
    ReadingFactory(meter=new, taken_at=now - dt.timedelta(minutes=1), voltage=231)
    ReadingFactory(meter=old, taken_at=now - dt.timedelta(minutes=9), voltage=229)
    assert power_data(as_resident)["voltage"] == 231


@pytest.mark.parametrize(("age", "lamp"), [(0, "live"), (60, "live"), (61, "stale"), (300, "stale"), (301, "silent")])
def test_the_meters_lamp(now, as_resident, meter, age, lamp):
    ReadingFactory(meter=meter, taken_at=now - dt.timedelta(seconds=age))
    assert power_data(as_resident)["status"]["meter"] == lamp


def test_a_meters_clock_that_runs_ahead_gives_no_negative_age(now, as_resident, meter):
    ReadingFactory(meter=meter, taken_at=now + dt.timedelta(seconds=5))
    assert power_data(as_resident)["age_seconds"] == 0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("up", "connected")),
        ({"broker_connected": False}, ("up", "disconnected")),
        ({"heartbeat_at": NOW - dt.timedelta(seconds=31)}, ("down", "disconnected")),
        ({"stopped_at": NOW}, ("down", "disconnected")),
    ],
)
def test_the_lamps_of_listener_and_broker(now, as_resident, meter, fields, expected):
    listener(now, **fields)
    status = power_data(as_resident)["status"]
    assert (status["listener"], status["broker"]) == expected


def test_one_listener_that_is_up_is_enough(now, as_resident, meter):
    listener(now, stopped_at=now)
    listener(now, name="second")
    assert power_data(as_resident)["status"]["listener"] == "up"


class TestTenancyWindow:
    """A household sees its own time and nothing else."""

    @pytest.fixture
    def former(self, apartment, meter):
        user = UserFactory(email="former@example.org")
        tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2024, 1, 1), moved_out=dt.date(2025, 1, 1))
        tenancy.residents.add(user)
        client = Client()
        client.force_login(user)
        return client

    def test_the_next_household_sees_nothing_older(self, as_resident, meter):
        ReadingFactory(meter=meter, taken_at=dt.datetime(2024, 12, 31, 22, 59, 59, tzinfo=dt.UTC))
        assert power_data(as_resident)["voltage"] is None
        assert as_resident.post("/api/save-reading").status_code == 409
        ReadingFactory(meter=meter, taken_at=dt.datetime(2024, 12, 31, 23, 0, tzinfo=dt.UTC), voltage=229)
        assert power_data(as_resident)["voltage"] == 229

    def test_who_moved_out_sees_nothing_newer(self, former, meter):
        ReadingFactory(meter=meter, taken_at=dt.datetime(2024, 12, 31, 22, 59, 59, tzinfo=dt.UTC), voltage=229)
        ReadingFactory(meter=meter, taken_at=dt.datetime(2024, 12, 31, 23, 0, tzinfo=dt.UTC), voltage=231)
        assert power_data(former)["voltage"] == 229
        assert "You moved out on 1 January 2025" in former.get("/").content.decode()


class TestSaveReading:
    def save(self, client, note="", **headers):
        return client.post("/api/save-reading", {"note": note}, content_type="application/json", headers=headers)

    def test_the_reading_is_kept(self, now, as_resident, resident, meter):
        ReadingFactory(meter=meter, taken_at=now - dt.timedelta(minutes=1))
        latest = ReadingFactory(meter=meter, taken_at=TAKEN, voltage=220.5, current=2.3)
        response = self.save(as_resident, " Oven ")
        assert response.status_code == 201
        assert response.json() == {
            "id": latest.pk, "apartment": "101", "floor": "1", "voltage": 220.5, "current": 2.3, "power": 507.15,
            "timestamp": "2026-11-23T08:00:00.123Z", "saved_at": "2026-11-23T08:00:01.323Z", "note": "Oven",
        }  # fmt: skip
        latest.refresh_from_db()
        assert (latest.saved_at, latest.saved_by, latest.note) == (NOW, resident, "Oven")

    def test_saving_it_again_keeps_one_and_may_change_the_note(self, as_resident, meter):
        ReadingFactory(meter=meter)
        first = self.save(as_resident, "Oven").json()
        assert self.save(as_resident).json()["note"] == "Oven"
        assert self.save(as_resident, "Kettle").json() == first | {"note": "Kettle"}
        assert Reading.objects.saved().count() == 1

    def test_a_body_is_not_needed_and_a_form_will_do(self, as_resident, meter):
        ReadingFactory(meter=meter)
        assert as_resident.post("/api/save-reading").status_code == 201
        assert as_resident.generic("POST", "/api/save-reading", b"").status_code == 201
        assert as_resident.post("/api/save-reading", {"note": "Form"}).json()["note"] == "Form"

    def test_without_a_reading_there_is_nothing_to_save(self, as_resident, meter):
        response = self.save(as_resident)
        assert response.status_code == 409
        assert response.json()["detail"].startswith("There is no reading to save yet")

    def test_a_note_has_its_limits(self, as_resident, meter):
        ReadingFactory(meter=meter)
        assert self.save(as_resident, "x" * 121).status_code == 422
        assert self.save(as_resident, "a\0b").status_code == 422
        assert Reading.objects.saved().count() == 0

    def test_it_takes_a_csrf_token(self, resident, meter):
        ReadingFactory(meter=meter)
        client = Client(enforce_csrf_checks=True)
        client.force_login(resident)
        assert self.save(client).status_code == 403
        client.get("/")
        token = client.cookies["csrftoken"].value
        assert self.save(client, **{"x-csrftoken": token}).status_code == 201

    def test_not_for_strangers(self, db):
        assert self.save(Client()).status_code == 401


class TestUndo:
    def save(self, client, note=""):
        return client.post("/api/save-reading", {"note": note}, content_type="application/json").json()

    def test_what_was_saved_is_a_reading_like_others_again(self, now, as_resident, meter):
        reading = ReadingFactory(meter=meter, taken_at=TAKEN)
        saved = self.save(as_resident, "Oven")
        assert as_resident.delete(f"/api/saved-readings/{saved['id']}").status_code == 204
        reading.refresh_from_db()
        assert (reading.saved_at, reading.saved_by, reading.note) == (None, None, "")

    def test_what_is_not_saved_by_the_household_is_not_found(self, now, as_resident, as_neighbour, neighbour, meter):
        reading = ReadingFactory(meter=meter, taken_at=TAKEN)
        assert as_resident.delete(f"/api/saved-readings/{reading.pk}").status_code == 404
        saved = self.save(as_resident, "Oven")
        for number in (saved["id"], 0, -1, 10**30):
            assert as_neighbour.delete(f"/api/saved-readings/{number}").status_code == 404
        reading.refresh_from_db()
        assert reading.note == "Oven"

    def test_not_from_another_site(self, now, resident, meter):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(resident)
        reading = ReadingFactory(meter=meter, taken_at=TAKEN, saved_at=now)
        assert strict.delete(f"/api/saved-readings/{reading.pk}").status_code == 403
        reading.refresh_from_db()
        assert reading.saved_at


class TestRecent:
    def test_the_last_ten_minutes_oldest_first(self, now, as_resident, meter):
        for seconds, current in ((601, 9), (599, 1), (0, 2)):
            ReadingFactory(meter=meter, taken_at=now - dt.timedelta(seconds=seconds), voltage=100, current=current)
        assert as_resident.get("/api/recent").json() == {
            "timestamps": ["2026-11-23T07:50:02.323Z", "2026-11-23T08:00:01.323Z"], "power": [100, 200],
        }  # fmt: skip

    def test_the_newest_where_there_are_very_many(self, now, as_resident, meter, monkeypatch):
        monkeypatch.setattr("metering.api.curves.MOST_RECENT", 2)
        for seconds in range(3):
            ReadingFactory(meter=meter, taken_at=now - dt.timedelta(seconds=seconds), voltage=100, current=seconds)
        assert as_resident.get("/api/recent").json()["power"] == [100, 0]


MIDNIGHT = dt.datetime(2026, 11, 22, 23, 0, tzinfo=dt.UTC)
BEGIN = int(MIDNIGHT.timestamp())


class TestCurve:
    @pytest.fixture(autouse=True)
    def at_noon(self, time_machine):
        time_machine.move_to(MIDNIGHT + dt.timedelta(hours=12), tick=False)

    def measure(self, meter, *readings):
        for seconds, current in readings:
            ReadingFactory(meter=meter, taken_at=MIDNIGHT + dt.timedelta(seconds=seconds), voltage=100, current=current)
        # Longer curves are made of quarter hours and days.
        assert sum(derive_new())

    def test_of_a_day(self, as_resident, meter):
        self.measure(meter, (-1, 9), (0, 1), (100, 3), (900, 2), (86_400, 9))
        assert as_resident.get("/api/curve?since=2026-11-23&until=2026-11-23").json() == {
            "step": 300, "times": [BEGIN, BEGIN + 300, BEGIN + 900],
            "low": [100, None, 200], "mean": [200, None, 200], "peak": [300, None, 200], "saved": [],
        }  # fmt: skip

    def test_saved_readings_are_marked(self, as_resident, meter):
        self.measure(meter, (0, 1), (100, 3), (86_400, 9))
        Reading.objects.filter(taken_at__gt=MIDNIGHT).update(saved_at=MIDNIGHT, note="Oven")
        curve = as_resident.get("/api/curve?since=2026-11-23&until=2026-11-23").json()
        assert curve["saved"] == [{"time": BEGIN + 100, "power": 300, "note": "Oven"}]

    def test_of_weeks(self, as_resident, meter):
        self.measure(meter, (-1, 9), (0, 1), (100, 3), (200, 5), (7200, 2))
        curve = as_resident.get("/api/curve?since=2026-11-23&until=2026-12-07").json()
        assert curve == {
            "step": 3600, "times": [BEGIN, BEGIN + 3600, BEGIN + 7200],
            "low": [100, None, 200], "mean": [300, None, 200], "peak": [500, None, 200], "saved": [],
        }  # fmt: skip

    def test_of_a_year(self, as_resident, meter):
        self.measure(meter, (-86_400, 9), (0, 1), (10, 3), (2 * 86_400, 2))
        curve = as_resident.get("/api/curve?since=2026-11-23&until=2027-11-22").json()
        assert curve["step"] == 86_400
        assert curve["times"] == [BEGIN, BEGIN + 86_400, BEGIN + 2 * 86_400]
        # Of ten seconds from 100 W to 300 W; and one that stands alone.
        assert curve["mean"] == [pytest.approx(200, abs=1), None, 200]
        assert curve["peak"] == [300, None, 200]
        assert curve["low"] == [None, None, None]

    def test_a_part_of_it_is_finer(self, as_resident, meter):
        self.measure(meter, (0, 1), (599, 2), (610, 3), (1200, 4))
        curve = as_resident.get(f"/api/curve?since=2026-11-01&begin={BEGIN + 300}&end={BEGIN + 1200}").json()
        assert (curve["step"], curve["peak"]) == (10, [200, None, 300])

    @pytest.mark.parametrize("query", [f"begin={BEGIN}&end={BEGIN}", f"begin={BEGIN + 9}&end={BEGIN}", "end=0"])
    def test_of_no_time_there_is_none(self, as_resident, meter, query):
        self.measure(meter, (0, 1))
        assert as_resident.get(f"/api/curve?{query}").json()["times"] == []

    def test_a_part_does_not_reach_beyond_ones_own(self, as_resident, meter, tenancy):
        self.measure(meter, (-10, 9), (0, 1))
        tenancy.moved_in = dt.date(2026, 11, 23)
        tenancy.save()
        assert as_resident.get(f"/api/curve?begin={BEGIN - 60}&end={BEGIN + 60}").json()["peak"] == [100]

    def test_without_days_it_is_all_time(self, as_resident, meter):
        self.measure(meter, (-86_400, 9), (0, 1))
        assert as_resident.get("/api/curve").json()["peak"] == [900, 100]

    def test_of_time_that_is_not_ones_own_there_is_none(self, as_resident, meter, tenancy):
        self.measure(meter, (0, 1))
        tenancy.moved_in = dt.date(2026, 11, 24)
        tenancy.save()
        assert as_resident.get("/api/curve?until=2026-11-23").status_code == 404
        tenancy.moved_in = dt.date(2026, 11, 23)
        tenancy.save()
        assert as_resident.get("/api/curve?until=2026-11-22").json()["times"] == []

    def test_what_is_no_day_is_named(self, as_resident, meter):
        answer = as_resident.get("/api/curve?since=yesterday")
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", "since"]


def test_the_api_describes_itself_without_the_internet(as_resident):
    page = as_resident.get("/api/docs").content.decode()
    assert "//" not in page  # nothing of another host
    assert '"validatorUrl": null' in page
    schema = as_resident.get("/api/openapi.json").json()
    assert schema["components"]["schemas"]["PowerDataOut"]["properties"]["voltage"]["description"] == "V"
    assert timezone.now()
