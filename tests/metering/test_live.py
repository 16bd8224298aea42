"""Who may go on watching."""

import datetime as dt

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts.access import fresh_residence
from accounts.models import Tenancy, User
from metering.models import Reading
from tests.factories import ReadingFactory


@pytest.fixture
def session_key(as_resident):
    return as_resident.session.session_key


def test_a_resident_may_go_on(session_key, tenancy):
    assert fresh_residence(session_key).tenancy == tenancy


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
def test_an_open_page_ends_with_the_right_to_see_it(as_resident, resident, session_key, ending):
    assert as_resident.session[SESSION_KEY]
    ending(as_resident, resident)
    assert fresh_residence(session_key) is None


def test_the_stream_ends_when_the_household_moves_out(in_event_loop, resident, meter, tenancy):
    client = AsyncClient()
    client.force_login(resident)
    ReadingFactory(meter=meter)
    today = tenancy.apartment.building.today()

    async def watch():
        response = await client.get("/live")
        events = aiter(response.streaming_content)
        first = (await anext(events)).decode()
        await Tenancy.objects.filter(pk=tenancy.pk).aupdate(moved_out=today)
        await Reading.objects.acreate(meter=meter, taken_at=timezone.now(), voltage=1.0, current=1.0, power=1.0)
        return first, [chunk async for chunk in events]

    first, rest = in_event_loop(watch())
    assert '"voltage": 230.0' in first
    assert rest == []


def test_there_is_no_stream_of_the_past(as_resident, tenancy):
    tenancy.moved_out = dt.date(2025, 6, 1)
    tenancy.save()
    assert as_resident.get("/live").status_code == 204


def test_a_stranger_is_told_so(db):
    assert Client().get("/live").status_code == 401
