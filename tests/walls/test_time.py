"""A household sees its own time in its own apartment, to the microsecond, on every path."""

import datetime as dt
import zoneinfo

import pytest
from django.test import AsyncClient, Client

from accounts.access import Residence, Span
from accounts.models import Building, Tenancy
from metering.live import subscriber, watcher
from metering.loads import derive_new
from metering.models import DayTotal, Load, Meter, Reading
from tests.factories import ApartmentFactory, BuildingFactory, ReadingFactory, TenancyFactory, UserFactory
from tests.fakes import NOON
from tests.walls.cast import gather

MICROSECOND = dt.timedelta(microseconds=1)
DAY = dt.timedelta(days=1)
ALL_TIME = "since=1970-01-02&until=2999-12-31"
SORTS = [sign + name for name in ("time", "voltage", "current", "power", "note") for sign in ("", "-")]


def utc(text):
    return dt.datetime.fromisoformat(f"{text}+00:00")


def date(text):
    return dt.date.fromisoformat(text)


def enter(user):
    client = Client()
    client.force_login(user)
    return client


def household(apartment, moved_in, moved_out=None, user=None):
    user = user or UserFactory()
    TenancyFactory(apartment=apartment, moved_in=moved_in, moved_out=moved_out).residents.add(user)
    return user


@pytest.fixture
def flat(db):
    """An apartment with a meter, in a building whose zone the test sets."""
    apartment = ApartmentFactory(building=BuildingFactory(slug="house"), number="101")
    Meter.objects.ensure_native([apartment])
    return apartment


@pytest.fixture
def cast(db):
    """Of this test alone: other ones here have houses of their own."""
    return gather()


def measure(flat, *instants, saved=True):
    """A saved reading at each instant, of 1 W, 2 W, 3 W..."""
    meter = flat.meters.get()
    for number, instant in enumerate(instants, 1):
        ReadingFactory(meter=meter, taken_at=instant, voltage=number, current=1, power=number,
                       saved_at=NOON if saved else None)  # fmt: skip
    # What is shown of weeks comes from quarter hours.
    sum(derive_new())


SHORT_WAYS = (ALL_TIME, "show=saved")


def ways_to_ask():
    yield from (f"show=all&{ALL_TIME}&sort={sort}" for sort in SORTS)
    yield from ("show=saved", f"show=saved&{ALL_TIME}", f"{ALL_TIME}&page=1", f"{ALL_TIME}&page=99")
    yield from ("since=1970-01-02", "until=2999-12-31")


def seen(client, ways=None):
    """The powers this client sees: the same on every path that shows all time, whatever the order."""
    found = set()
    for way in ways or ways_to_ask():
        context = client.get(f"/history?{way}").context
        powers = sorted(reading.power for reading in context["page"])
        statistics = context["statistics"]
        assert statistics["number"] == len(powers)
        # Quarter hours keep whole watts.
        assert statistics["maximum"] == pytest.approx(max(powers, default=None), abs=0.5)
        found.add(tuple(powers))
    (powers,) = found
    for way in ("", ALL_TIME, "since=1970-01-02", "until=2999-12-31"):
        curve = client.get(f"/api/curve?{way}").json()
        assert {round(peak) for peak in curve["peak"] if peak} <= {round(power) for power in powers}
    return list(powers)


def latest(client):
    """The power on the dashboard, in the API, and in what would be saved."""
    power = client.get("/api/power-data").json()["power"]
    assert client.get("/").context["json"]["power"] == power
    answer = client.post("/api/save-reading")
    assert (answer.json()["power"] if answer.status_code == 201 else None) == power
    return power


# zone, first day, last day's end, and the instants at which these days begin
BORDERS = [
    ("Europe/Berlin", "2026-03-29", "2026-10-25", "2026-03-28 23:00", "2026-10-24 22:00"),
    ("America/Santiago", "2026-04-05", "2026-09-06", "2026-04-05 04:00", "2026-09-06 04:00"),
    ("America/Santiago", "2025-09-07", "2026-04-05", "2025-09-07 04:00", "2026-04-05 04:00"),
    ("Asia/Beirut", "2026-03-29", "2026-10-25", "2026-03-28 22:00", "2026-10-24 22:00"),
    ("Africa/Cairo", "2026-04-24", "2026-10-30", "2026-04-23 22:00", "2026-10-29 22:00"),
    ("America/Havana", "2026-03-08", "2026-11-01", "2026-03-08 05:00", "2026-11-01 04:00"),
    ("Asia/Kathmandu", "2026-06-01", "2026-07-01", "2026-05-31 18:15", "2026-06-30 18:15"),
    ("Pacific/Apia", "2011-12-29", "2011-12-30", "2011-12-29 10:00", "2011-12-30 10:00"),
    ("Pacific/Apia", "2011-12-29", "2011-12-31", "2011-12-29 10:00", "2011-12-30 10:00"),
    ("Pacific/Apia", "2011-12-30", "2012-01-01", "2011-12-30 10:00", "2011-12-31 10:00"),
    ("Pacific/Kiritimati", "2026-06-01", "2026-07-01", "2026-05-31 10:00", "2026-06-30 10:00"),
]


@pytest.mark.parametrize(("zone", "moved_in", "moved_out", "since", "until"), BORDERS)
def test_from_midnight_to_midnight(flat, time_machine, zone, moved_in, moved_out, since, until):
    Building.objects.update(timezone=zone)
    since, until = utc(since), utc(until)
    before = household(flat, date(moved_in) - 400 * DAY, date(moved_in))
    own = household(flat, date(moved_in), date(moved_out))
    after = household(flat, date(moved_out))
    measure(flat, since - MICROSECOND, since, until - MICROSECOND, until)
    for now, people in {
        since - MICROSECOND: {before: [1], own: None, after: None},
        since: {before: [1], own: [2, 3], after: None},
        until - MICROSECOND: {before: [1], own: [2, 3], after: None},
        until: {before: [1], own: [2, 3], after: [4]},
    }.items():
        time_machine.move_to(now, tick=False)
        for person, powers in people.items():
            client = enter(person)
            if powers is None:
                assert client.get("/history").status_code == client.get("/api/power-data").status_code == 404
                assert client.get("/live").status_code == client.post("/api/save-reading").status_code == 404
            else:
                assert seen(client, SHORT_WAYS) == powers
                assert latest(client) == powers[-1]
                gone = (person is before and now >= since) or (person is own and now >= until)
                assert client.get("/live").status_code == (204 if gone else 200)


ODD_ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/Nuuk", "America/Santiago",
    "America/Scoresbysund", "America/St_Johns", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Damascus",
    "Asia/Gaza", "Asia/Kathmandu", "Asia/Tehran", "Atlantic/Azores", "Australia/Eucla", "Australia/Lord_Howe",
    "Europe/Berlin", "Pacific/Apia", "Pacific/Chatham", "Pacific/Easter", "Pacific/Marquesas", "UTC",
]  # fmt: skip


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_midnight_is_the_first_instant_of_a_day(zone):
    """Wherever the clocks change at midnight, or by half an hour, or twice in Ramadan."""
    building, local = Building(timezone=zone), zoneinfo.ZoneInfo(zone)
    day = dt.date(2024, 1, 1)
    while day.year < 2028:
        midnight = building.midnight(day)
        assert midnight.astimezone(local).date() == day
        assert (midnight - MICROSECOND).astimezone(local).date() == day - DAY
        day += DAY


def test_today_is_ones_own_from_the_day_of_moving_in(flat, time_machine):
    """Today's curve and the history's first page begin with the own time, not with the day."""
    Building.objects.update(timezone="Europe/Berlin")
    former, own = household(flat, date("2025-01-01"), date("2026-11-23")), household(flat, date("2026-11-23"))
    measure(flat, utc("2026-11-22 22:59:59"), utc("2026-11-22 23:00:00"), saved=False)
    time_machine.move_to(utc("2026-11-22 23:30:00"), tick=False)
    today = "/api/curve?since=2026-11-23&until=2026-11-23"
    assert enter(own).get(today).json()["peak"] == [2]
    assert enter(former).get(today).json()["peak"] == []
    assert [row.power for row in enter(former).get("/history").context["page"]] == [1]
    assert [row.power for row in enter(own).get("/history").context["page"]] == [2]


def test_between_two_households_only_the_manager_sees(cast):
    gap = cast.readings["nobody"]
    sum(derive_new())
    for role in ("former", "next", "resident", "neighbour"):
        assert gap.power not in seen(cast.clients[role])
    assert gap in Reading.objects.managed_by(cast.people["manager"])
    assert gap not in Reading.objects.managed_by(cast.people["other_manager"])
    for role in ("resident", "next", "pending", "disabled"):
        assert not Reading.objects.managed_by(cast.people[role]).exists()


def test_a_household_shares_everything(flat):
    one = household(flat, date("2026-01-01"))
    two = UserFactory()
    flat.tenancies.get().residents.add(two)
    measure(flat, NOON, saved=False)
    assert enter(one).post("/api/save-reading", {"note": "Oven"}).status_code == 201
    page = enter(two).get("/history?show=saved")
    assert [reading.note for reading in page.context["page"]] == ["Oven"]
    assert enter(two).post("/api/save-reading", {"note": "Kettle"}).json()["note"] == "Kettle"
    assert "Kettle" in enter(one).get("/history?show=saved").content.decode()


class TestTwiceInOneApartment:
    @pytest.fixture
    def person(self, flat):
        """Lived there in spring, and again since autumn; somebody else did in summer."""
        self.other = household(flat, date("2026-06-01"), date("2026-08-01"))
        person = household(flat, date("2026-03-01"), date("2026-06-01"))
        household(flat, date("2026-09-01"), None, person)
        spring, summer, august, autumn = (utc(f"2026-{month}-15 12:00") for month in ("04", "06", "08", "10"))
        measure(flat, spring, summer, august, autumn)
        return person

    def test_both_times_are_theirs_and_what_lies_between_is_not(self, person):
        assert seen(enter(person)) == [1, 4]
        assert latest(enter(person)) == 4
        assert seen(enter(self.other)) == [2]

    def test_before_the_meter_speaks_again_the_latest_is_their_own_last(self, flat, person, time_machine):
        Reading.objects.filter(power=4).delete()
        time_machine.move_to(utc("2026-09-01 12:00"), tick=False)
        assert latest(enter(person)) == 1

    def test_before_they_come_back_they_see_the_first_time(self, person, time_machine):
        time_machine.move_to(utc("2026-08-31 23:59:59"), tick=False)
        client = enter(person)
        assert seen(client) == [1]
        assert "You moved out on 1 June 2026" in client.get("/").content.decode()
        assert client.get("/live").status_code == 204

    def test_the_borders_inside_are_exact(self, flat, person):
        june, september = utc("2026-06-01 00:00"), utc("2026-09-01 00:00")
        for model in (DayTotal, Load):
            model.objects.all().delete()
        Reading.objects.all().delete()
        measure(flat, june - MICROSECOND, june, september - MICROSECOND, september)
        assert seen(enter(person)) == [1, 4]

    def test_a_page_that_comes_back_is_told_what_it_missed_of_both_times(self, flat, person):
        other = ApartmentFactory(building=flat.building, number="102")
        ReadingFactory(meter=Meter.objects.ensure_native([other])[0], taken_at=utc("2026-10-15 12:00"))
        own = Residence.of(*Tenancy.objects.of(person))
        assert [reading.power for reading in Reading.objects.newer_of(own, 0)] == [1, 4]
        assert set(Reading.objects.newer_of(own, 0)) == set(Reading.objects.of(own))

    def test_a_move_without_a_day_between_loses_nothing(self, flat, person):
        own = household(flat.building.apartments.create(number="7", floor="1"), date("2026-01-01"), date("2026-02-01"))
        home = own.tenancies.get().apartment
        household(home, date("2026-02-01"), None, own)
        Meter.objects.ensure_native([home])
        border = utc("2026-02-01 00:00")
        measure(home, border - MICROSECOND, border)
        assert seen(enter(own)) == [1, 2]

    def test_times_that_touch_are_one_and_a_day_between_keeps_them_apart(self, flat):
        january, spring, march, summer = (
            TenancyFactory(apartment=flat, moved_in=date(moved_in), moved_out=moved_out and date(moved_out))
            for moved_in, moved_out in (
                ("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01"), ("2026-03-02", "2026-04-01"),
                ("2026-04-01", None),
            )
        )  # fmt: skip
        assert Residence.of(summer, march, spring, january).spans == (
            Span(utc("2026-03-02 00:00"), None), Span(utc("2026-01-01 00:00"), utc("2026-03-01 00:00")),
        )  # fmt: skip


def test_of_two_apartments_one_sees_the_one_that_was_chosen(flat):
    second = ApartmentFactory(building=flat.building, number="102")
    Meter.objects.ensure_native([second])
    person = household(flat, date("2026-01-01"), date("2026-06-01"))
    household(second, date("2026-06-01"), None, person)
    measure(flat, utc("2026-05-01 12:00"), utc("2026-07-01 12:00"))
    measure(second, utc("2026-05-01 12:00"), utc("2026-07-01 12:00"))
    client = enter(person)
    assert client.get("/api/power-data").json()["apartment"] == "102"
    assert seen(client) == [2]
    session = client.session
    session["apartment"] = flat.pk
    session.save()
    assert seen(client) == [1]
    session["apartment"] = ApartmentFactory(building=flat.building, number="103").pk
    session.save()
    assert client.get("/api/power-data").json()["apartment"] == "102"


# --- The stream ----------------------------------------------------------------------------------


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(subscriber, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(watcher, "CHECK_SECONDS", 0.05)


def listen(in_event_loop, user, steps):
    """What a stream says first, and all it says after these steps, until it ends or has said enough."""
    client = AsyncClient()
    client.force_login(user)

    async def watch():
        events = aiter((await client.get("/live")).streaming_content)
        said = [(await anext(events)).decode()]
        for step in steps:
            await step()
            said += [chunk.decode() async for chunk in events]
        return said

    return in_event_loop(watch())


def test_a_stream_that_is_open_at_midnight_ends(in_event_loop, often, flat, time_machine):
    """With a reading of the new day there already, and one of the old day that comes late."""
    own = household(flat, date("2026-01-01"), date("2026-11-24"))
    household(flat, date("2026-11-24"))
    midnight = utc("2026-11-24 00:00")
    time_machine.move_to(midnight - MICROSECOND, tick=False)
    measure(flat, midnight - dt.timedelta(seconds=10))
    meter = flat.meters.get()

    async def strike():
        time_machine.move_to(midnight, tick=False)
        for instant in (midnight, midnight - MICROSECOND):
            await Reading.objects.acreate(meter=meter, taken_at=instant, voltage=99, current=1, power=99)

    said = listen(in_event_loop, own, [strike])
    assert len(said) == 1
    assert '"power": 1.0' in said[0]
    client = enter(own)
    assert client.get("/live").status_code == 204
    assert client.get("/api/power-data").json()["timestamp"] == "2026-11-23T23:59:59.999Z"


def test_the_next_households_stream_begins_with_nothing(in_event_loop, flat):
    household(flat, date("2026-01-01"), date("2026-11-23"))
    own = household(flat, date("2026-11-23"))
    measure(flat, utc("2026-11-22 23:59:59"))
    client = AsyncClient()
    client.force_login(own)

    async def first():
        return (await anext(aiter((await client.get("/live")).streaming_content))).decode()

    said = in_event_loop(first())
    assert '"apartment": "101"' in said
    assert '"power": null' in said


def test_a_stream_carries_ones_own_readings_alone(in_event_loop, often, flat):
    """While the neighbour's meter speaks, only the lamps are told."""
    second = ApartmentFactory(building=flat.building, number="102")
    meter, other = flat.meters.get(), Meter.objects.ensure_native([second])[0]
    own = household(flat, date("2026-01-01"))
    measure(flat, NOON - dt.timedelta(seconds=5))
    client = AsyncClient()
    client.force_login(own)

    async def watch():
        response = await client.get("/live")
        assert response.headers["Content-Type"] == "text/event-stream"
        events = aiter(response.streaming_content)
        said = [(await anext(events)).decode()]
        await Reading.objects.acreate(meter=other, taken_at=NOON, voltage=99, current=1, power=99)
        said += [(await anext(events)).decode() for _ in range(2)]
        await Reading.objects.acreate(meter=meter, taken_at=NOON, voltage=7, current=1, power=7)
        while "reading" not in said[-1]:
            said.append((await anext(events)).decode())
        return said

    first, *lamps, last = in_event_loop(watch())
    assert '"power": 1.0' in first
    assert all(text.startswith("event: status") for text in lamps)
    assert '"power": 7' in last
