"""The stream of new readings: what it tells, to whom, and until when."""

import asyncio
import datetime as dt
import json
import threading
from contextlib import aclosing

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import OperationalError, connections
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts.access import Residence, fresh_residence
from accounts.models import Tenancy, User
from accounts.rights import Visitor, rights
from metering.live import news, watcher
from metering.live.subscriber import QUEUE, REPLAYED, Subscriber
from metering.loads import derive_new
from metering.models import ListenerState, Reading
from metering.status import Status
from tests.factories import ListenerStateFactory, MeterFactory


@pytest.fixture
def visitor(as_resident, resident):
    return Visitor(as_resident.session.session_key, resident.pk)


def test_a_resident_may_go_on(visitor, tenancy):
    assert fresh_residence(visitor.session_key).tenancy == tenancy
    assert rights([visitor]) == rights([visitor])


def log_out(client, user):
    client.post("/logout")


def run_out(client, user):
    Session.objects.update(expire_date=timezone.now() - dt.timedelta(seconds=1))


def change_password(client, user):
    user.set_password("another horse 8")
    user.save()


def switch_off(client, user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def leave_household(client, user):
    user.tenancies.clear()


@pytest.mark.parametrize("ending", [log_out, run_out, change_password, switch_off, leave_household])
def test_an_open_page_ends_with_the_right_to_see_it(as_resident, resident, visitor, ending):
    assert as_resident.session[SESSION_KEY]
    before = rights([visitor])[visitor]
    ending(as_resident, resident)
    assert fresh_residence(visitor.session_key) is None
    assert rights([visitor]).get(visitor) != before


def test_the_rights_of_many_are_asked_at_once(visitor, django_assert_num_queries):
    others = [Visitor(f"session{number}", number) for number in range(1000, 1100)]
    with django_assert_num_queries(3):
        assert set(rights([visitor, *others])) == {visitor}


# --- What comes ----------------------------------------------------------------------------------


class Stream:
    """What one browser is told."""

    def __init__(self, response):
        self._chunks = aiter(response.streaming_content)
        self._text = ""
        self.number = None

    async def next(self):
        """The next event's name and its data; None at the end. What comes without a name is passed over."""
        while True:
            while "\n\n" not in self._text:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    return None
                self._text += chunk.decode()
            event, _, self._text = self._text.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in event.splitlines())
            self.number = fields.get("id", self.number)
            if "event" in fields:
                return fields["event"], json.loads(fields["data"])

    async def powers(self, number):
        """Of the next readings."""
        return [(await self.next())[1]["power"] for _ in range(number)]

    async def rest(self):
        found = []
        while event := await self.next():
            found.append(event)
        return found


@pytest.fixture
def listening(in_event_loop, resident, meter, tenancy):
    """Runs what is to be done with a way to open streams of the resident's."""

    def run(script):
        client = AsyncClient()
        client.force_login(resident)

        async def opened(query="", **headers):
            return Stream(await client.get(f"/live{query}", headers=headers))

        async def together():
            async with aclosing(script(opened)) as steps:
                return [step async for step in steps]

        return in_event_loop(together())

    return run


async def measure(meter, power, seconds_ago=0.0):
    taken = timezone.now() - dt.timedelta(seconds=seconds_ago)
    return await Reading.objects.acreate(meter=meter, taken_at=taken, voltage=power, current=1, power=power)


def test_the_first_reading_of_all_stays_though_it_comes_while_a_stream_begins(listening, meter, monkeypatch):
    asked = watcher._missed

    def missed(*question):
        Reading.objects.create(meter=meter, taken_at=timezone.now(), voltage=100, current=1, power=100)
        return asked(*question)

    async def script(opened):
        yield await (await opened("?after=0")).powers(2)

    monkeypatch.setattr(watcher, "_missed", missed)
    assert listening(script) == [[100, 100]]


def test_readings_come_as_they_are_stored(listening, meter):
    async def script(opened):
        await measure(meter, 100)
        stream = await opened()
        yield await stream.powers(1)
        for power in (101, 102):
            await measure(meter, power)
        yield await stream.powers(2)

    assert listening(script) == [[100], [101, 102]]


def test_a_late_reading_is_told_and_the_lamp_goes_by_the_newest(listening, meter):
    async def script(opened):
        await measure(meter, 100)
        stream = await opened()
        await stream.next()
        await measure(meter, 50, seconds_ago=3000)
        yield await stream.next()

    [(event, data)] = listening(script)
    assert (event, data["power"]) == ("reading", 50)
    assert data["age_seconds"] == pytest.approx(3000, abs=60)
    assert data["status"]["meter"] == "live"


@pytest.mark.parametrize("way", ["header", "query"])
def test_after_a_drop_it_goes_on_where_it_stood(listening, meter, way):
    async def script(opened):
        await measure(meter, 100)
        stream = await opened()
        await stream.next()
        for power in (101, 102, 103):
            await measure(meter, power)
        again = await (
            opened(**{"Last-Event-ID": stream.number}) if way == "header" else opened(f"?after={stream.number}")
        )
        yield await again.powers(4)

    # The newest once more: how things stand now.
    assert listening(script) == [[101, 102, 103, 103]]


def test_of_several_meters_the_chosen_one_alone_is_told(listening, meter, apartment):
    second = MeterFactory(apartment=apartment, topic="house/second")

    async def script(opened):
        first = await measure(second, 200, seconds_ago=5)
        await measure(meter, 100, seconds_ago=5)
        await sync_to_async(lambda: sum(derive_new()))()
        stream = await opened(f"?meter={second.pk}")
        yield await stream.powers(1)
        for each, power in ((meter, 101), (second, 201), (meter, 102), (second, 202)):
            await measure(each, power)
        yield await stream.powers(2)
        again = await opened(f"?meter={second.pk}&after={first.pk - 1}")
        yield set(await again.powers(3))

    assert listening(script) == [[200], [201, 202], {200, 201, 202}]


def test_who_missed_too_much_is_told_so(listening, meter, monkeypatch):
    monkeypatch.setattr(watcher, "REPLAYED", 2)

    async def script(opened):
        stream = await opened()
        await stream.next()
        for power in (101, 102, 103):
            await measure(meter, power)
        again = await opened(f"?after={stream.number}")
        yield await again.next()
        yield await again.powers(1)

    assert listening(script) == [("missed", {}), [103]]


def test_who_stood_long_ago_is_told_so(listening, meter, monkeypatch):
    monkeypatch.setattr(watcher, "FAR_BEHIND", 1)

    async def script(opened):
        last = await measure(meter, 101)
        for power in (102, 103):
            last = await measure(meter, power)
        yield (await (await opened(f"?after={last.pk - 2}")).next())[0]
        yield (await (await opened(f"?after={last.pk - 1}")).next())[0]

    assert listening(script) == ["missed", "reading"]


@pytest.mark.parametrize("nonsense", ["-1", "x", "9" * 30, "½", ""])
def test_nonsense_for_where_it_stood_is_passed_over(listening, meter, nonsense):
    async def script(opened):
        yield await (await opened(f"?after={nonsense}")).powers(1)

    assert listening(script) == [[None]]


def test_a_lamp_that_changes_is_told(listening, meter, monkeypatch):
    monkeypatch.setattr(watcher, "CHECK_SECONDS", 0.05)

    async def script(opened):
        stream = await opened()
        yield (await stream.next())[1]["status"]
        await sync_to_async(ListenerStateFactory)(broker_connected=True)
        yield await stream.next()
        await ListenerState.objects.aupdate(broker_connected=False)
        yield await stream.next()

    first, second, third = listening(script)
    assert first == {"listener": "down", "broker": "disconnected", "meter": "silent"}
    assert second == ("status", {"listener": "up", "broker": "connected", "meter": "silent"})
    assert third == ("status", {"listener": "up", "broker": "disconnected", "meter": "silent"})


def test_nothing_is_left_out_while_the_database_is_away(listening, meter, monkeypatch):
    monkeypatch.setattr(watcher, "CHECK_SECONDS", 0.05)
    look, failures = news.News.look, []

    def look_later(self):
        found = look(self)
        if found and not failures:
            failures.append(self._newest)
            self._newest -= len(found)
            raise OperationalError("the server closed the connection unexpectedly")
        return found

    async def script(opened):
        stream = await opened()
        await stream.next()
        monkeypatch.setattr(news.News, "look", look_later)
        for power in (101, 102):
            await measure(meter, power)
        yield await stream.powers(2)

    assert listening(script) == [[101, 102]]
    assert failures


def test_what_was_stored_just_before_a_page_comes_back_is_told_once(listening, meter, monkeypatch):
    look, is_late = news.News.look, []

    async def script(opened):
        stream = await opened()
        await stream.next()
        is_late.append(True)
        for power in (101, 102):
            await measure(meter, power)
        again = await opened(f"?after={stream.number}")
        # And how things stand.
        yield await again.powers(3)
        is_late.clear()
        await measure(meter, 103)
        yield await again.powers(1)

    monkeypatch.setattr(news.News, "look", lambda self: [] if is_late else look(self))
    assert listening(script) == [[101, 102, 102], [103]]


def test_who_comes_while_the_last_one_leaves_is_told_as_well(in_event_loop, meter, visitor, tenancy, monkeypatch):
    closing, may_close = threading.Event(), threading.Event()
    close_all = connections.close_all

    def close_slowly():
        closing.set()
        may_close.wait(10)
        close_all()

    async def script():
        async with watcher.watcher.subscribe(visitor, None):
            monkeypatch.setattr(connections, "close_all", close_slowly)
        await asyncio.to_thread(closing.wait, 10)
        page = watcher.watcher.subscribe(visitor, None)
        coming = asyncio.create_task(page.__aenter__())
        await asyncio.sleep(0)
        may_close.set()
        texts = (await coming).texts()
        await anext(texts)
        await measure(meter, 101)
        try:
            return await asyncio.wait_for(anext(texts), 10)
        finally:
            await page.__aexit__(None, None, None)

    assert '"power": 101.0' in in_event_loop(script())


# --- Until when ----------------------------------------------------------------------------------


def test_the_stream_ends_when_the_household_moves_out(listening, meter, tenancy):
    today = tenancy.apartment.building.today()

    async def script(opened):
        await measure(meter, 230)
        stream = await opened()
        yield await stream.powers(1)
        await Tenancy.objects.filter(pk=tenancy.pk).aupdate(moved_out=today)
        await measure(meter, 1)
        yield await stream.rest()

    assert listening(script) == [[230], []]


def test_the_stream_ends_with_the_session_though_no_meter_speaks(listening, meter, monkeypatch):
    monkeypatch.setattr(watcher, "CHECK_SECONDS", 0.05)

    async def script(opened):
        stream = await opened()
        await stream.next()
        await Session.objects.all().adelete()
        yield await stream.rest()

    assert listening(script) == [[]]


def test_the_watcher_rests_when_nobody_listens(in_event_loop, visitor, meter):
    async def script():
        async with watcher.watcher.subscribe(visitor, None) as subscriber:
            assert subscriber in watcher.watcher._everybody()
        await watcher.watcher._task

    in_event_loop(script())
    assert not watcher.watcher._everybody()


def test_who_does_not_read_is_let_go(tenancy):
    status = Status("up", "connected", "live")
    page = Subscriber(Visitor("key", 1), Residence.of(tenancy), (), None, status)
    for _ in range(QUEUE):
        page.tell("x")
    assert page.is_behind
    assert not page.ended.is_set()
    page.tell("x")
    assert page.ended.is_set()
    assert QUEUE > REPLAYED + 3


def test_there_is_no_stream_of_the_past(as_resident, tenancy):
    tenancy.moved_out = dt.date(2025, 6, 1)
    tenancy.save()
    assert as_resident.get("/live").status_code == 204


def test_a_stranger_is_told_so(db):
    assert Client().get("/live").status_code == 401
