"""A manager who changes whose time it is, looks, and changes it back: the household sees it."""

import datetime as dt

import pytest
from django.test import Client

from accounts.models import AccessRecord, Apartment, JoinRequest, Tenancy
from tests.factories import ApartmentFactory, ReadingFactory, TenancyFactory, UserFactory

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 23, 12, 30, tzinfo=dt.UTC)
PAGE = "/account/access"
LIST = "/admin/metering/reading/"


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.fixture
def later(now):
    """Time goes on, an hour at a time."""
    hours = iter(range(1, 100))
    return lambda: now.move_to(NOW + dt.timedelta(hours=next(hours)), tick=False)


@pytest.fixture
def change(as_manager, tenancy, later):
    """The manager sends the form of the tenancy."""

    def send(**fields):
        later()
        stored = Tenancy.objects.get(pk=tenancy.pk)
        form = {
            "apartment": stored.apartment_id,
            "moved_in": stored.moved_in,
            "moved_out": stored.moved_out or "",
            "residents": [user.pk for user in stored.residents.all()],
        }
        answer = as_manager.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form | fields)
        assert answer.status_code == 302, answer.context["errors"]
        later()

    return send


def log_in(user):
    client = Client()
    client.force_login(user)
    return client


def text(client):
    return " ".join(client.get(PAGE).content.decode().split())


def test_nothing_happened(as_resident):
    page = text(as_resident)
    assert "Nobody has looked at your readings." in page
    assert page.count("joined") == 1
    assert "resident@example.org</strong> joined" in page


def test_ended_looked_at_and_begun_again(as_resident, as_manager, tenancy, resident, meter, change):
    ReadingFactory(meter=meter, taken_at=NOW)
    change(moved_out="2026-11-18")
    as_manager.get(LIST)
    assert [look.tenancy for look in AccessRecord.objects.all()] == [tenancy]
    change(moved_out="")
    page = text(as_resident)
    assert "Building manager · saw a list of readings" in page
    assert "<strong>Moved out</strong> – → 18 Nov 2026" in page
    assert "<strong>Moved out</strong> 18 Nov 2026 → –" in page
    assert "by manager@example.org" in page


def test_who_really_moved_out_is_not_told_of_looks_at_the_next_household(as_manager, tenancy, resident, meter, later):
    tenancy.moved_out = dt.date(2026, 11, 23)
    tenancy.save()
    later()
    later()
    ReadingFactory(meter=meter, taken_at=NOW + dt.timedelta(hours=2))
    new = TenancyFactory(apartment=tenancy.apartment, moved_in=dt.date(2026, 11, 23))
    as_manager.get(LIST)
    assert [look.tenancy for look in AccessRecord.objects.all()] == [new]


def test_a_household_moved_to_another_tenancy(as_resident, as_manager, tenancy, resident, meter, change):
    """The old one is emptied: what was seen of it, and that they were taken out, stays theirs to read."""
    ReadingFactory(meter=meter, taken_at=NOW)
    as_manager.get(LIST)
    change(moved_out="2026-11-20", residents=[])
    page = text(as_resident)
    assert "saw a list of readings" in page
    assert "<strong>resident@example.org</strong> left" in page
    assert "20 Nov 2026" in page


def test_who_was_taken_out_learns_nothing_of_what_comes_later(
    as_resident, as_manager, tenancy, resident, meter, change
):
    flatmate = UserFactory(email="flatmate@example.org")
    tenancy.residents.add(flatmate)
    change(residents=[flatmate.pk])
    ReadingFactory(meter=meter, taken_at=NOW + dt.timedelta(hours=2))
    as_manager.get(LIST)
    change(moved_in="2025-02-01")
    assert "saw a list of readings" not in text(as_resident)
    assert "1 Feb 2025" not in text(as_resident)
    assert "saw a list of readings" in text(log_in(flatmate))
    assert "1 Feb 2025" in text(log_in(flatmate))


def test_moved_to_another_apartment(as_resident, tenancy, resident, building, change):
    change(apartment=ApartmentFactory(building=building, number="301").pk)
    assert "<strong>Apartment</strong> 101, House by the Sea → 301, House by the Sea" in text(as_resident)


def test_the_apartments_number(as_resident, as_manager, tenancy, resident, later):
    """A meter publishes to a number: who changes it leads the readings elsewhere."""
    later()
    form = {"number": "101-old", "floor": "1", "meters-TOTAL_FORMS": "0", "meters-INITIAL_FORMS": "0"}
    assert as_manager.post(f"/admin/accounts/apartment/{tenancy.apartment_id}/change/", form).status_code == 302
    assert "<strong>Apartment number</strong> 101 → 101-old" in text(as_resident)


def test_what_happens_to_the_apartment_after_moving_out(as_resident, tenancy, resident, later):
    tenancy.moved_out = dt.date(2026, 11, 22)
    tenancy.save()
    later()
    apartment = Apartment.objects.get(pk=tenancy.apartment_id)
    apartment.number = "999"
    apartment.save()
    assert "Apartment number" not in text(as_resident)


def test_neighbours_learn_nothing(as_neighbour, tenancy, change):
    change(moved_out="2026-11-18")
    assert "18 Nov 2026" not in text(as_neighbour)


def test_a_tenancy_that_somebody_lived_in_is_not_deleted(as_manager, tenancy, resident):
    """With it would go who looked at it."""
    path = f"/admin/accounts/tenancy/{tenancy.pk}/delete/"
    tenancy.residents.clear()
    assert "Enter the moving-out date instead" in as_manager.get(path).content.decode()
    as_manager.post(path, {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [tenancy.pk], "post": "yes"}
    as_manager.post("/admin/accounts/tenancy/", chosen)
    assert Tenancy.objects.filter(pk=tenancy.pk).exists()


def test_a_tenancy_of_nobody_is(as_manager, building):
    empty = TenancyFactory(apartment=ApartmentFactory(building=building))
    as_manager.post(f"/admin/accounts/tenancy/{empty.pk}/delete/", {"post": "yes"})
    assert not Tenancy.objects.filter(pk=empty.pk).exists()


@pytest.fixture
def newcomer(apartment):
    user = UserFactory(email="newcomer@example.org")
    JoinRequest.objects.create(user=user, apartment=apartment)
    return user


def rename(client, apartment, number):
    form = {"number": number, "floor": "1", "meters-TOTAL_FORMS": "0", "meters-INITIAL_FORMS": "0"}
    assert client.post(f"/admin/accounts/apartment/{apartment.pk}/change/", form).status_code == 302


def set_zone(client, building, zone):
    form = {"name": building.name, "currency": "EUR", "timezone": zone}
    assert client.post(f"/admin/accounts/building/{building.pk}/change/", form).status_code == 302


def test_the_page_outlives_an_apartment_they_were_moved_to_and_back(as_resident, as_manager, tenancy, building, change):
    home, spare = tenancy.apartment_id, ApartmentFactory(building=building)
    change(apartment=spare.pk)
    change(apartment=home)
    assert as_manager.post(f"/admin/accounts/apartment/{spare.pk}/delete/", {"post": "yes"}).status_code == 302
    assert "one that is not here any more → 101, House by the Sea" in text(as_resident)


def test_who_is_replaced_does_not_learn_by_whom(as_resident, tenancy, resident, newcomer, change):
    change(residents=[newcomer.pk])
    page = text(as_resident)
    assert "<strong>resident@example.org</strong> left" in page
    assert "newcomer@example.org" not in page


class TestWithinOneSecond:
    """What is saved at once makes one entry; what is not for everybody is taken out before."""

    @pytest.fixture
    def now(self, time_machine):
        time_machine.move_to(NOW, tick=True)
        return time_machine

    def save(self, client, tenancy, **fields):
        form = {"apartment": tenancy.apartment_id, "moved_in": "2025-01-01", "moved_out": "", "residents": []}
        answer = client.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form | fields)
        assert answer.status_code == 302

    def test_who_joins_together_with_new_dates_sees_both(self, as_manager, tenancy, newcomer):
        self.save(as_manager, tenancy, residents=[newcomer.pk], moved_in="2025-02-01")
        page = text(log_in(newcomer))
        assert "<strong>newcomer@example.org</strong> joined" in page

    def test_nothing_hides_behind_another_change(self, as_manager, tenancy, newcomer, now):
        self.save(as_manager, tenancy, residents=[newcomer.pk])
        for day in ("2026-11-18", "2026-11-19", ""):
            now.shift(dt.timedelta(seconds=0.7))
            self.save(as_manager, tenancy, residents=[newcomer.pk], moved_out=day)
        assert "19 Nov 2026" in text(log_in(newcomer))

    def test_who_is_replaced_does_not_learn_by_whom(self, as_resident, as_manager, tenancy, resident, newcomer):
        self.save(as_manager, tenancy, residents=[newcomer.pk])
        assert "newcomer@example.org" not in text(as_resident)


def test_the_time_zone(as_resident, as_manager, building, tenancy, resident, later):
    later()
    set_zone(as_manager, building, "Pacific/Pago_Pago")
    set_zone(as_manager, building, "Europe/Berlin")
    page = text(as_resident)
    assert "<strong>Time zone</strong> Europe/Berlin → Pacific/Pago_Pago" in page
    assert "<strong>Time zone</strong> Pacific/Pago_Pago → Europe/Berlin" in page


def test_what_was_changed_before_their_moving_out_was_entered(
    as_resident, as_manager, tenancy, resident, later, change
):
    later()
    rename(as_manager, tenancy.apartment, "101-old")
    later()
    rename(as_manager, tenancy.apartment, "101")
    change(moved_out="2026-11-22")
    assert "101-old" in text(as_resident)


def test_the_first_resident_sees_what_was_before(as_manager, apartment, newcomer, later):
    """Else one could enter a tenancy, look, change it, and only then let its people in."""
    form = {"apartment": apartment.pk, "moved_in": "2025-01-01", "moved_out": "", "residents": []}
    assert as_manager.post("/admin/accounts/tenancy/add/", form).status_code == 302
    tenancy = Tenancy.objects.get()
    for day in ("2026-11-18", ""):
        later()
        as_manager.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form | {"moved_out": day})
    later()
    as_manager.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form | {"residents": [newcomer.pk]})
    page = text(log_in(newcomer))
    assert "<strong>Moved in</strong> 1 Jan 2025" in page
    assert "18 Nov 2026 → –" in page


def test_who_was_taken_out_does_not_learn_of_later_looks_in_that_hour(
    as_resident, as_manager, tenancy, resident, newcomer, meter, now
):
    tenancy.residents.add(newcomer)
    ReadingFactory(meter=meter, taken_at=NOW)
    for minute in (31, 50):
        now.move_to(NOW + dt.timedelta(minutes=minute), tick=False)
        as_manager.get(LIST)
        tenancy.residents.remove(resident)
    assert "23 Nov 2026, 14:01" in text(as_resident)
    assert "14:20" not in text(as_resident)
    assert "14:20" in text(log_in(newcomer))
