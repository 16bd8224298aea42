"""Deleting one's own account."""

import datetime as dt
import threading

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import AsyncClient, Client

from accounts.access import fresh_residence
from accounts.deletion import LastSuperuser, buildings_left_alone, delete_account
from accounts.models import Building, Invitation, JoinRequest, Tenancy, User
from accounts.trace import FORGOTTEN
from metering.erasure import delete_person
from metering.models import Reading
from tests.factories import PASSWORD, ApartmentFactory, MeterFactory, ReadingFactory, TenancyFactory, UserFactory
from tests.fakes import NOON

pytestmark = pytest.mark.django_db

WILL = {"password": PASSWORD, "understood": "on"}


@pytest.fixture(autouse=True)
def no_attempts(db):
    cache.clear()


@pytest.fixture
def flatmate(tenancy):
    user = UserFactory(email="flatmate@example.org")
    tenancy.residents.add(user)
    return user


@pytest.fixture
def superuser(db):
    return User.objects.create_superuser("root@example.org", PASSWORD)


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


def test_everything_of_theirs_goes_and_they_are_told(as_resident, resident, tenancy):
    EmailAddress.objects.create(user=resident, email=resident.email, primary=True)
    JoinRequest.objects.create(user=resident, apartment=tenancy.apartment)
    invitation = Invitation(tenancy=tenancy, used_by=resident, used_at=NOON)
    invitation.issue()
    elsewhere = logged_in(resident)
    response = as_resident.post("/account/delete", WILL)
    assert response.status_code == 200
    assert "Your account is deleted" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert not User.objects.exists()
    assert not EmailAddress.objects.exists()
    assert not JoinRequest.objects.exists()
    assert not Session.objects.exists()
    assert not get_user(elsewhere).is_authenticated
    assert as_resident.get("/").url == "/login?next=/"
    assert list(tenancy.residents.all()) == []
    invitation.refresh_from_db()
    assert invitation.used_by is None


def test_others_stay_logged_in(as_resident, as_neighbour, neighbour):
    as_resident.post("/account/delete", WILL)
    assert get_user(as_neighbour) == neighbour


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"password": "wrong horse 7", "understood": "on"}, "This is not your password."),
        ({"password": PASSWORD}, "This field is required."),
        ({"understood": "on"}, "This field is required."),
    ],
)
def test_not_without_the_password_and_the_will(as_resident, resident, form, words):
    response = as_resident.post("/account/delete", form)
    assert words in response.content.decode()
    assert get_user(as_resident) == resident


def test_passwords_cannot_be_tried_there(as_resident, resident):
    for _ in range(10):
        as_resident.post("/account/delete", WILL | {"password": "wrong"})
    assert as_resident.post("/account/delete", WILL).status_code == 429
    assert User.objects.filter(pk=resident.pk).exists()


def test_only_by_a_form_of_ours(resident):
    client = Client(enforce_csrf_checks=True)
    client.force_login(resident)
    assert client.post("/account/delete", WILL).status_code == 403
    assert client.get("/account/delete").status_code == 200
    assert User.objects.filter(pk=resident.pk).exists()
    assert Client().post("/account/delete", WILL).url == "/login?next=/account/delete"


def test_what_was_saved_stays_for_the_household(as_resident, resident, flatmate, meter):
    reading = ReadingFactory(meter=meter)
    reading.save_for(resident, "oven", NOON)
    as_resident.post("/account/delete", WILL)
    reading.refresh_from_db()
    assert (reading.saved_at, reading.saved_by, reading.note) == (NOON, None, "oven")


def test_what_the_last_one_of_a_household_saved_is_forgotten(resident, flatmate, meter):
    own, theirs = (ReadingFactory(meter=meter, taken_at=NOON + dt.timedelta(hours=hour)) for hour in range(2))
    own.save_for(resident, "oven", NOON)
    theirs.save_for(flatmate, "kettle", NOON)
    delete_person(flatmate)
    delete_person(resident)
    assert list(Reading.objects.values_list("saved_at", "saved_by", "note")) == [(None, None, "")] * 2


def test_what_was_saved_in_other_times_of_the_apartment_is_not_touched(resident, neighbour, tenancy, meter):
    Tenancy.objects.filter(pk=tenancy.pk).update(moved_out=dt.date(2026, 6, 1))
    TenancyFactory(apartment=tenancy.apartment, moved_in=dt.date(2026, 6, 1)).residents.add(neighbour)
    reading = ReadingFactory(meter=meter, taken_at=NOON)
    reading.save_for(neighbour, "theirs", NOON)
    delete_person(resident)
    reading.refresh_from_db()
    assert (reading.saved_by, reading.note) == (neighbour, "theirs")


def test_notes_in_a_household_they_were_taken_out_of(resident, flatmate, tenancy, meter, neighbour_apartment):
    alone = MeterFactory(apartment=neighbour_apartment)
    shared, lost = (ReadingFactory(meter=each, taken_at=NOON) for each in (meter, alone))
    for reading in (shared, lost):
        reading.save_for(resident, "mine", NOON)
    tenancy.residents.remove(resident)
    delete_person(resident)
    assert Reading.objects.get(pk=shared.pk).note == "mine"
    assert Reading.objects.get(pk=lost.pk).saved_at is None


def test_the_page_says_what_goes_and_what_stays(as_resident, resident, flatmate, settings):
    settings.READING_RETENTION_DAYS, settings.ERASE_READINGS_AFTER_MONTHS = 9, 14
    settings.ERASE_BILLING_AFTER_MONTHS = 41
    TenancyFactory(
        apartment=ApartmentFactory(number="777"), moved_in=dt.date(2020, 1, 1), moved_out=dt.date(2021, 1, 1)
    ).residents.add(resident)
    page = " ".join(as_resident.get("/account/delete").content.decode().split())
    assert "that you live in apartment 101, House by the Sea</li>" in page
    assert "that you lived in apartment 777" in page
    assert "Apartment 101: the others of your household go on seeing its readings" in page
    assert "Apartment 777: nobody of your household is left who sees its readings" in page
    for words in ("9 days old", "14 months after", "41 months after"):
        assert words in page


def test_the_only_manager_is_warned_and_may_go(as_manager, manager, building):
    assert list(buildings_left_alone(manager)) == [building]
    page = as_manager.get("/account/delete").content.decode()
    assert "You are the only manager of <strong>House by the Sea</strong>" in page
    other = UserFactory()
    building.managers.add(other)
    assert "only manager" not in as_manager.get("/account/delete").content.decode()
    as_manager.post("/account/delete", WILL)
    assert list(Building.objects.get().managers.all()) == [other]


def test_the_last_superuser_stays(superuser):
    UserFactory(is_superuser=True, is_active=False)
    client = logged_in(superuser)
    page = client.get("/account/delete").content.decode()
    assert "This account is the last superuser here" in page
    assert "password" not in page
    refused = client.post("/account/delete", WILL)
    assert refused.status_code == 409
    assert "This account is the last superuser here" in refused.content.decode()
    assert get_user(client) == superuser


def test_a_superuser_may_go_while_there_is_another(superuser):
    other = User.objects.create_superuser("other@example.org", PASSWORD)
    assert logged_in(superuser).post("/account/delete", WILL).status_code == 200
    assert list(User.objects.all()) == [other]


def test_all_or_nothing(resident, meter):
    reading = ReadingFactory(meter=meter)
    reading.save_for(resident, "oven", NOON)

    def forget(user):
        Reading.objects.update(note="")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        delete_account(resident, forget)
    reading.refresh_from_db()
    assert reading.note == "oven"
    assert User.objects.filter(pk=resident.pk).exists()


def test_the_log_of_the_admin_pages_keeps_what_others_did_without_the_name(resident, manager, tenancy):
    request = JoinRequest.objects.create(user=resident, apartment=tenancy.apartment)
    for row in (resident, request, tenancy):
        LogEntry.objects.create(
            user=manager,
            content_type=ContentType.objects.get_for_model(row),
            object_id=row.pk,
            object_repr=str(row),
            action_flag=CHANGE,
        )
    delete_person(resident)
    assert set(LogEntry.objects.values_list("object_repr", flat=True)) == {FORGOTTEN, str(tenancy)}
    delete_person(manager)
    assert not LogEntry.objects.exists()


def test_an_open_page_shows_nothing_new(as_resident, resident):
    key = as_resident.session.session_key
    delete_person(resident)
    assert fresh_residence(key) is None


def test_an_open_stream_ends(in_event_loop, resident, meter):
    client = AsyncClient()
    client.force_login(resident)
    ReadingFactory(meter=meter)

    async def watch():
        response = await client.get("/live")
        events = aiter(response.streaming_content)
        first = (await anext(events)).decode()
        deleted = await client.post("/account/delete", WILL)
        await Reading.objects.acreate(meter=meter, taken_at=NOON, voltage=1.0, current=1.0, power=1.0)
        return first, deleted.status_code, [chunk async for chunk in events]

    first, status, rest = in_event_loop(watch())
    assert '"voltage": 230.0' in first
    assert (status, rest) == (200, [])


def at_once(*actions):
    """Run each in a thread of its own; what they raised."""
    barrier = threading.Barrier(len(actions))
    raised = []

    def run(action):
        barrier.wait()
        try:
            action()
        except LastSuperuser as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.postgres  # SQLite lets nobody else write meanwhile
@pytest.mark.django_db(transaction=True)
def test_two_superusers_at_the_same_moment():
    users = [User.objects.create_superuser(f"{name}@example.org", PASSWORD) for name in "ab"]
    raised = at_once(*(lambda user=user: delete_person(user) for user in users))
    assert len(raised) == 1
    assert User.objects.count() == 1


@pytest.mark.postgres  # SQLite lets nobody else write meanwhile
@pytest.mark.django_db(transaction=True)
def test_two_flatmates_at_the_same_moment(resident, flatmate, meter):
    reading = ReadingFactory(meter=meter)
    reading.save_for(resident, "oven", NOON)
    assert at_once(lambda: delete_person(resident), lambda: delete_person(flatmate)) == []
    reading.refresh_from_db()
    assert (reading.saved_at, reading.note) == (None, "")


def test_an_address_that_ends_alike_is_not_taken_for_theirs(manager):
    kind = ContentType.objects.get_for_model(User)
    entry = LogEntry.objects.create(
        user=manager, content_type=kind, object_id="1", object_repr="jim@example.org", action_flag=2
    )
    delete_account(UserFactory(email="m@example.org"))
    entry.refresh_from_db()
    assert entry.object_repr == "jim@example.org"


class TestInAdmin:
    """A superuser who deletes somebody leaves no more of them behind than they themselves would."""

    @pytest.mark.parametrize("step", ["one", "chosen"])
    def test_it_goes_as_by_their_own_hand(self, superuser, resident, tenancy, meter, step):
        reading = ReadingFactory(meter=meter)
        reading.save_for(resident, "mine", NOON)
        mine = logged_in(resident)
        path = "/admin/accounts/user/"
        form = {"post": "yes", "action": "delete_selected", "_selected_action": [resident.pk]}
        answer = logged_in(superuser).post(f"{path}{resident.pk}/delete/" if step == "one" else path, form)
        assert answer.status_code == 302
        assert not User.objects.filter(pk=resident.pk).exists()
        assert not get_user(mine).is_authenticated
        reading.refresh_from_db()
        assert (reading.saved_at, reading.note) == (None, "")
        assert not User.history.filter(email="resident@example.org").exists()
        assert not LogEntry.objects.filter(object_repr__icontains="resident@").exists()

    def test_the_last_superuser_stays(self, superuser, resident):
        path = f"/admin/accounts/user/{superuser.pk}/delete/"
        assert (
            "nobody could name managers any more" in logged_in(superuser).post(path, {"post": "yes"}).content.decode()
        )
        other = User.objects.create_superuser("second@example.org", PASSWORD)
        assert logged_in(other).post(path, {"post": "yes"}).status_code == 302
        assert list(User.objects.filter(is_superuser=True)) == [other]

    @pytest.mark.parametrize("off", ["is_superuser", "is_active"])
    def test_the_last_superuser_stays_one(self, superuser, off):
        form = {"email": superuser.email, "is_superuser": "on", "is_active": "on"}
        form.pop(off)
        path = f"/admin/accounts/user/{superuser.pk}/change/"
        assert "This is the last administrator" in logged_in(superuser).post(path, form).content.decode()
        User.objects.create_superuser("second@example.org", PASSWORD)
        assert logged_in(superuser).post(path, form).status_code == 302
