import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import Apartment, Building, JoinRequest, Tenancy, User, open_tenancy
from tests.factories import ApartmentFactory, BuildingFactory, TenancyFactory, UserFactory

pytestmark = pytest.mark.django_db
JANUARY, MARCH, MAY = (dt.date(2026, month, 1) for month in (1, 3, 5))


class TestUser:
    def test_the_address_is_unique_in_any_case(self):
        User.objects.create_user("One@Example.org")
        assert User.objects.get().email == "one@example.org"
        with pytest.raises(IntegrityError), transaction.atomic():
            User(email="ONE@example.org").save()

    def test_apartment_and_floor_come_from_the_current_tenancy(self, resident):
        assert (resident.apartment.number, resident.floor) == ("101", "1")

    def test_without_a_tenancy_there_are_none(self):
        user = UserFactory()
        assert (user.apartment, user.floor) == (None, None)

    def test_a_past_tenancy_is_not_the_current_one(self, apartment):
        user = UserFactory()
        TenancyFactory(apartment=apartment, moved_out=JANUARY).residents.add(user)
        assert user.apartment is None


class TestTenancy:
    @pytest.mark.parametrize(
        ("moved_in", "moved_out"),
        [(JANUARY, None), (JANUARY, MAY), (JANUARY, dt.date(2026, 3, 2)), (dt.date(2026, 4, 1), None), (MARCH, MAY)],
    )
    def test_tenancies_of_one_apartment_never_overlap(self, apartment, moved_in, moved_out):
        TenancyFactory(apartment=apartment, moved_in=MARCH, moved_out=MAY)
        with pytest.raises(ValidationError, match="has a tenancy from 2026-03-01 to 2026-05-01 already"):
            TenancyFactory(apartment=apartment, moved_in=moved_in, moved_out=moved_out)

    def test_one_may_begin_on_the_day_another_ends(self, apartment):
        TenancyFactory(apartment=apartment, moved_in=MARCH, moved_out=MAY)
        TenancyFactory(apartment=apartment, moved_in=JANUARY, moved_out=MARCH)
        TenancyFactory(apartment=apartment, moved_in=MAY)

    def test_other_apartments_are_free(self, apartment):
        TenancyFactory(apartment=apartment)
        TenancyFactory()

    def test_it_ends_after_it_begins(self, apartment):
        with pytest.raises(IntegrityError), transaction.atomic():
            TenancyFactory(apartment=apartment, moved_in=MARCH, moved_out=MARCH)

    def test_it_lasts_from_local_midnight_to_local_midnight(self, apartment):
        tenancy = TenancyFactory(apartment=apartment, moved_in=JANUARY, moved_out=dt.date(2026, 7, 1))
        assert tenancy.since == dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)
        assert tenancy.until == dt.datetime(2026, 6, 30, 22, tzinfo=dt.UTC)

    def test_which_one_lasts_is_a_matter_of_the_buildings_own_date(self, time_machine):
        time_machine.move_to(dt.datetime(2026, 3, 1, 11, 30, tzinfo=dt.UTC))
        east = ApartmentFactory(building=BuildingFactory(timezone="Pacific/Kiritimati"))
        west = ApartmentFactory(building=BuildingFactory(timezone="Pacific/Pago_Pago"))
        begins_east, begins_west = (TenancyFactory(apartment=a, moved_in=dt.date(2026, 3, 2)) for a in (east, west))
        assert set(Tenancy.objects.current()) == {begins_east}
        time_machine.shift(dt.timedelta(days=1))
        assert set(Tenancy.objects.current()) == {begins_east, begins_west}

    def test_a_new_household_ends_the_one_before(self, tenancy):
        new = open_tenancy(tenancy.apartment, MARCH)
        tenancy.refresh_from_db()
        assert (tenancy.moved_out, new.moved_in) == (MARCH, MARCH)


class TestNames:
    @pytest.mark.parametrize("number", ["10/1", "", "a b", "ä", "+", "#", "x" * 33, "101\n"])
    def test_an_apartment_number_fits_into_a_topic(self, building, number):
        with pytest.raises(ValidationError):
            Apartment(building=building, number=number, floor="1").full_clean()

    def test_an_apartment_number_is_unique_in_its_building(self, apartment):
        with pytest.raises(ValidationError, match="has an apartment with this number already"):
            Apartment(building=apartment.building, number="101", floor="1").full_clean()
        Apartment(building=BuildingFactory(), number="101", floor="1").full_clean()

    def test_a_time_zone_is_a_real_one(self):
        with pytest.raises(ValidationError, match="Mars/Phobos is not a time zone"):
            Building(slug="x", name="x", timezone="Mars/Phobos").full_clean()
        with pytest.raises(ValidationError, match="localtime is not a time zone"):
            Building(slug="x", name="x", timezone="localtime").full_clean()
        Building(slug="x", name="x", timezone="UTC").full_clean()

    def test_days_of_23_and_25_hours(self, building):
        spring, autumn = dt.date(2026, 3, 29), dt.date(2026, 10, 25)
        day = dt.timedelta(days=1)
        assert building.midnight(spring + day) - building.midnight(spring) == dt.timedelta(hours=23)
        assert building.midnight(autumn + day) - building.midnight(autumn) == dt.timedelta(hours=25)


class TestJoinRequest:
    @pytest.fixture
    def request_(self, apartment):
        return JoinRequest.objects.create(user=UserFactory(), apartment=apartment)

    def test_approved_into_the_household_that_lives_there(self, request_, tenancy, manager):
        assert request_.join_household(manager)
        assert request_.user in tenancy.residents.all()
        request_.refresh_from_db()
        assert (request_.state, request_.decided_by) == ("approved", manager)

    def test_approved_into_an_empty_apartment(self, request_, manager):
        assert request_.join_household(manager)
        assert request_.user.apartment == request_.apartment
        assert request_.user.tenancy.moved_in == request_.apartment.building.today()

    def test_approved_as_a_new_household(self, request_, tenancy, manager):
        assert request_.move_in(manager)
        tenancy.refresh_from_db()
        assert tenancy.moved_out == request_.user.tenancy.moved_in == request_.apartment.building.today()

    def test_refused(self, request_, manager):
        assert request_.refuse(manager)
        assert request_.user.apartment is None

    def test_it_is_decided_once(self, request_, manager):
        assert request_.refuse(manager)
        assert not request_.join_household(manager)
        assert not request_.move_in(manager)
        assert Tenancy.objects.count() == 0
