"""What many tests stand on: the cast, a real broker, an installation of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from hypothesis import HealthCheck, settings

from accounts.models import Apartment, Building, Tenancy, User
from metering.models import Meter
from tests.broker import Broker
from tests.factories import ApartmentFactory, BuildingFactory, TenancyFactory, UserFactory
from tests.installation import Installation, migrated_template

# How long an example takes says nothing on a shared machine.
settings.register_profile("riser", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("riser")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A mosquitto on a free port, open to everybody on this machine."""
    with Broker(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes longer than most tests."""
    return migrated_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def installation(tmp_path: Path, template_database: Path, broker: Broker) -> Iterator[Installation]:
    """Riser's commands as processes, on a database file of their own."""
    with Installation(tmp_path, template_database, broker.port) as made:
        yield made


@pytest.fixture
def building(db: None) -> Building:
    return BuildingFactory(slug="house", name="House by the Sea", timezone="Europe/Berlin")


@pytest.fixture
def apartment(building: Building) -> Apartment:
    return ApartmentFactory(building=building, number="101", floor="1")


@pytest.fixture
def neighbour_apartment(building: Building) -> Apartment:
    return ApartmentFactory(building=building, number="201", floor="2")


@pytest.fixture
def meter(apartment: Apartment) -> Meter:
    return Meter.objects.ensure_native([apartment])[0]


@pytest.fixture
def tenancy(apartment: Apartment) -> Tenancy:
    return TenancyFactory(apartment=apartment)


@pytest.fixture
def resident(tenancy: Tenancy) -> User:
    """Lives in 101."""
    user = UserFactory(email="resident@example.org")
    tenancy.residents.add(user)
    return user


@pytest.fixture
def neighbour(neighbour_apartment: Apartment) -> User:
    """Lives in 201."""
    user = UserFactory(email="neighbour@example.org")
    TenancyFactory(apartment=neighbour_apartment).residents.add(user)
    return user


@pytest.fixture
def manager(building: Building) -> User:
    user = UserFactory(email="manager@example.org")
    building.managers.add(user)
    return user


@pytest.fixture
def as_resident(resident: User) -> Client:
    client = Client()
    client.force_login(resident)
    return client


@pytest.fixture
def as_neighbour(neighbour: User) -> Client:
    client = Client()
    client.force_login(neighbour)
    return client


@pytest.fixture
def as_manager(manager: User) -> Client:
    client = Client()
    client.force_login(manager)
    return client
