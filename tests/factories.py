"""Objects to test with; each with what it needs and no more."""

import datetime as dt
import functools
from decimal import Decimal

import factory
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory

from accounts.models import Apartment, Building, Tenancy, User
from metering.models import ListenerState, Meter, Rate, Reading, Tariff
from metering.models.instant import EPOCH

PASSWORD = "correct horse 7"


@functools.cache
def password_hash() -> str:
    """Everybody's: hashing takes long."""
    return make_password(PASSWORD)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@example.org")

    password = factory.LazyFunction(password_hash)


class BuildingFactory(DjangoModelFactory):
    class Meta:
        model = Building

    slug = factory.Sequence(lambda n: f"building{n}")
    name = factory.Sequence(lambda n: f"Building {n}")


class ApartmentFactory(DjangoModelFactory):
    class Meta:
        model = Apartment

    building = factory.SubFactory(BuildingFactory)
    number = factory.Sequence(lambda n: f"{n + 1000}")
    floor = "1"


class TenancyFactory(DjangoModelFactory):
    class Meta:
        model = Tenancy

    apartment = factory.SubFactory(ApartmentFactory)
    moved_in = dt.date(2025, 1, 1)


class MeterFactory(DjangoModelFactory):
    class Meta:
        model = Meter

    apartment = factory.SubFactory(ApartmentFactory)
    building = factory.SelfAttribute("apartment.building")
    installed_at = EPOCH


class ReadingFactory(DjangoModelFactory):
    class Meta:
        model = Reading

    meter = factory.SubFactory(MeterFactory)
    taken_at = factory.LazyFunction(lambda: dt.datetime.now(dt.UTC))
    voltage = 230.0
    current = 2.0
    power = factory.LazyAttribute(lambda reading: reading.voltage * reading.current)


class ListenerStateFactory(DjangoModelFactory):
    class Meta:
        model = ListenerState

    name = factory.Sequence(lambda n: f"listener{n}")
    started_at = heartbeat_at = broker_changed_at = factory.LazyFunction(lambda: dt.datetime.now(dt.UTC))


class TariffFactory(DjangoModelFactory):
    class Meta:
        model = Tariff
        skip_postgeneration_save = True

    building = factory.SubFactory(BuildingFactory)
    valid_from = dt.date(2020, 1, 1)
    currency = "EUR"

    @factory.post_generation
    def rates(self, create, given):
        """A dictionary of names with price and hours; one price for all hours where none are given."""
        for name, (price, hours) in (given or {"Electricity": ("0.30", "")}).items():
            Rate.objects.create(tariff=self, name=name, price=Decimal(price), hours=hours)
