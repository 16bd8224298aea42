"""When sessions end."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.test import AsyncClient, Client
from django.utils import timezone

from accounts.models import User
from metering.live import watcher
from tests.factories import PASSWORD, ReadingFactory


@pytest.fixture
def elsewhere(resident):
    """The same resident on another device."""
    client = Client()
    client.force_login(resident)
    return client


def test_a_changed_password_ends_the_other_ones(as_resident, elsewhere, resident):
    new = {"oldpassword": PASSWORD, "password1": "another horse 8", "password2": "another horse 8"}
    assert as_resident.post("/password", new).status_code == 302
    assert get_user(as_resident) == resident
    assert not get_user(elsewhere).is_authenticated


def test_log_out_everywhere_leaves_this_one(as_resident, elsewhere, resident, as_neighbour):
    page = as_resident.post("/account/log-out-everywhere", follow=True).content.decode()
    assert "All other devices are logged out. You are still logged in here." in page
    assert get_user(as_resident) == resident
    assert not get_user(elsewhere).is_authenticated
    assert get_user(as_neighbour).is_authenticated


def test_only_a_form_of_ours_logs_out_everywhere(resident, elsewhere):
    client = Client(enforce_csrf_checks=True)
    client.force_login(resident)
    assert client.post("/account/log-out-everywhere").status_code == 403
    assert client.get("/account/log-out-everywhere").status_code == 405
    assert get_user(elsewhere) == resident


def change_in_admin(client, user, **fields):
    fields = {"email": user.email, **fields}
    assert client.post(f"/admin/accounts/user/{user.pk}/change/", fields).status_code == 302


def test_a_disabled_account_is_out_and_stays_out_when_it_is_enabled_again(admin_client, elsewhere, resident):
    change_in_admin(admin_client, resident)
    assert not User.objects.get(pk=resident.pk).is_active
    assert elsewhere.get("/").status_code == 302
    change_in_admin(admin_client, resident, is_active="on")
    assert User.objects.get(pk=resident.pk).is_active
    assert elsewhere.get("/").status_code == 302


def test_another_change_of_the_account_ends_nothing(admin_client, elsewhere, resident):
    change_in_admin(admin_client, resident, is_active="on", email="new@example.org")
    assert get_user(elsewhere) == resident


def change_password(client, user):
    user.set_password("another horse 8")
    user.save()


def switch_off(client, user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def log_out_everywhere(client, user):
    client.post("/account/log-out-everywhere")


@pytest.mark.parametrize("ending", [change_password, switch_off, log_out_everywhere])
def test_an_open_stream_ends_with_its_session(in_event_loop, as_resident, resident, meter, monkeypatch, ending):
    monkeypatch.setattr(watcher, "CHECK_SECONDS", 0.05)
    ReadingFactory(meter=meter, taken_at=timezone.now())
    watching = AsyncClient()
    watching.force_login(resident)

    async def watch():
        response = await watching.get("/live")
        events = aiter(response.streaming_content)
        first = (await anext(events)).decode()
        await sync_to_async(ending)(as_resident, resident)
        rest = [chunk async for chunk in events]
        return first, rest

    first, rest = in_event_loop(watch())
    assert '"voltage": 230.0' in first
    # One may have been on its way.
    assert len(rest) <= 1
