"""What many tests stand on: the cast, a real broker, an installation of its own."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

from accounts.models import Apartment, Building, Tenancy, User
from metering.live.commits import Commits
from metering.live.watcher import watcher
from metering.models import Meter
from tests.broker import Broker
from tests.databases import new_template
from tests.factories import ApartmentFactory, BuildingFactory, TenancyFactory, UserFactory
from tests.installation import Installation, Templates, environment, run_manage
from tests.postgres import SERVER

T = TypeVar("T")

# How long an example takes says nothing on a shared machine.
hypothesis_settings.register_profile("riser", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("riser")


def pytest_configure() -> None:
    # Asynchronous, it would take a sixth of the time of all requests that do not go to a real server.
    settings.MIDDLEWARE.remove("servestatic.middleware.ServeStaticMiddleware")


TOGETHER = {
    "tests/browser/test_every_page.py", "tests/browser/test_installed.py", "tests/deploy/test_web_limits.py",
    "tests/metering/test_plans.py", "tests/test_headers.py",
    "tests/walls/test_admin.py", "tests/walls/test_managers.py", "tests/walls/test_urls.py",
}  # fmt: skip
"""Modules whose tests share what takes long to make: a web server, or a house full of people."""


class Scheduling(LoadScopeScheduling):
    """Each test to the next worker that is free, in order; those that share something all to one."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


DATABASE_FIXTURES = {"django_db_setup", "templates"}
"""Whoever uses the database uses one of these."""


def belongs_here(item: pytest.Item) -> bool:
    """Whether a test is for the database of this run: on PostgreSQL, of those without one SQLite's run says it all."""
    if SERVER not in os.environ:
        return item.get_closest_marker("postgres") is None
    fixtures = set(getattr(item, "fixturenames", ()))
    marks = {mark.name for mark in item.iter_markers()}
    return bool(DATABASE_FIXTURES & fixtures or {"django_db", "postgres"} & marks) and "sqlite" not in marks


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not belongs_here(item)])
    items[:] = sorted((item for item in items if belongs_here(item)), key=turn_of)


def turn_of(item: pytest.Item) -> int:
    """Those with a browser last: from the first page on Playwright's event loop counts as running in the worker.

    Of the others, and of these, those first that keep one worker busy for long.
    """
    module = item.nodeid.partition("::")[0]
    return 2 * module.startswith("tests/browser") + (module not in TOGETHER)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if SERVER in os.environ:
        terminalreporter.write_line("On PostgreSQL: the tests that use the database. The others run on SQLite only.")


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    """The thread of a test keeps the language of its last request."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A mosquitto on a free port, open to everybody on this machine."""
    with Broker(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    """Databases to copy, empty or with a house."""
    folder = tmp_path_factory.mktemp("templates")
    made = Templates(new_template(folder), folder)
    yield made
    made.drop()


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Scripts and styles as production serves them, collected by the first worker that needs them."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "static"
    with (shared / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            settings = {"DEBUG": "off", "ALLOWED_HOSTS": "127.0.0.1", "STATIC_ROOT": str(shared / "being-collected")}
            env = environment("sqlite://:memory:", shared, 1, **settings)
            run_manage(env, "collectstatic", "--noinput", "--verbosity", "0")
            (shared / "being-collected").rename(folder)
    return str(folder)


@pytest.fixture
def installation(tmp_path: Path, templates: Templates, broker: Broker) -> Iterator[Installation]:
    """Riser's commands as processes, on a database of their own."""
    with Installation(tmp_path, templates, broker.port) as made:
        yield made


@pytest.fixture
def in_event_loop(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Coroutine[Any, Any, T]], T]:
    """Runs a coroutine to its end."""
    # SQLite's database in memory takes no reader while somebody writes: here both use one thread.
    monkeypatch.setattr(watcher, "thread", SyncToAsync.single_thread_executor)
    # And one connection, which counts the commits of others only.
    monkeypatch.setattr(Commits, "happened", lambda self: True)

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run(coroutine)
        finally:
            # Its queries ran in a thread whose connection would keep the test database from being dropped.
            asyncio.run(sync_to_async(connections.close_all)())

    return run


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
