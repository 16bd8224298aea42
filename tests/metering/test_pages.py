import datetime as dt

import pytest
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import JoinRequest
from metering.ingest.decoders import InvalidMessage
from metering.ingest.delivery import Refused
from metering.ingest.store import DatabaseStore
from metering.models import ListenerState, Meter
from metering.views import operations
from tests.factories import ApartmentFactory, ReadingFactory, TenancyFactory, UserFactory
from tests.fakes import NOON, delivery

pytestmark = pytest.mark.django_db


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


class TestDashboard:
    def test_figures_units_and_place_are_there_without_script(self, as_resident, meter):
        ReadingFactory(meter=meter, voltage=220.5, current=2.3)
        page = as_resident.get("/").content.decode()
        for words in ("Apartment 101", "Floor 1 · House by the Sea", ">507.15<", ">220.5<", ">2.3<"):
            assert words in page

    def test_it_is_not_kept_by_caches(self, as_resident):
        assert "no-store" in as_resident.get("/")["Cache-Control"]

    def test_a_demo_says_so_on_every_page(self, as_resident, as_manager, building):
        pages = [(as_resident, "/"), (as_resident, "/history"), (Client(), "/login"), (as_manager, "/admin/")]
        assert not any("meters here are simulated" in client.get(path).content.decode() for client, path in pages)
        building.is_demo = True
        building.save()
        for client, path in pages:
            assert "meters here are simulated" in client.get(path).content.decode(), path

    def test_a_household_that_moves_in_later_waits(self, apartment):
        user = UserFactory()
        TenancyFactory(apartment=apartment, moved_in=dt.date(2999, 1, 1)).residents.add(user)
        page = client_of(user).get("/").content.decode()
        assert "begins on 1 January 2999" in page

    def test_a_refused_request_says_so(self, apartment, manager):
        user = UserFactory()
        JoinRequest.objects.create(user=user, apartment=apartment).refuse(manager)
        assert "Not approved" in client_of(user).get("/").content.decode()

    def test_an_account_with_nothing(self):
        assert "Nobody has given this account an apartment" in client_of(UserFactory()).get("/").content.decode()


class TestOperations:
    def test_alive(self):
        assert Client().get("/healthz").content == b"ok\n"

    def test_ready(self):
        answer = Client().get("/readyz")
        assert answer.status_code == 200
        assert answer.json() == {"ready": True, "database": "ok", "listener": "down", "broker": "disconnected"}

    def test_not_ready_without_a_database(self, monkeypatch, caplog):
        def away(*_):
            raise DatabaseError("connection to server at 10.0.0.5 failed for user riser")

        monkeypatch.setattr(operations, "MigrationExecutor", away)
        answer = Client().get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["database"] == "does not answer: see the log, or manage.py doctor"
        assert "10.0.0.5" in caplog.text

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    def test_not_ready_whatever_fails(self, db, monkeypatch, error):
        def away(*_):
            raise error("x")

        monkeypatch.setattr(operations, "status_for", away)
        assert Client(raise_request_exception=False).get("/readyz").status_code == 503

    def test_metrics_are_for_configured_addresses(self, settings):
        assert Client().get("/metrics").status_code == 200
        assert Client().get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 404
        settings.METRICS_ALLOWED = ["192.0.2.7"]
        assert Client().get("/metrics").status_code == 404

    def test_metrics_count_what_the_listener_did(self):
        listened()
        text = Client().get("/metrics").content.decode()
        for line in (
            'riser_messages_received_total{listener="one"} 2.0',
            'riser_messages_stored_total{listener="one"} 0.0',
            'riser_messages_duplicates_total{listener="one"} 0.0',
            'riser_messages_rejected_total{listener="one",reason="missing"} 2.0',
            'riser_listener_batch_size{listener="one"} 1.0',
            'riser_listener_batch_wait_seconds{listener="one"} 3.0',
            'riser_batch_commit_seconds_count{listener="one"} 2.0',
        ):
            assert line in text
        assert metric(text, 'riser_batch_commit_seconds_sum{listener="one"}') > 0
        assert metric(text, "riser_database_bytes") > 100_000

    @pytest.mark.parametrize(("silence", "unstored"), [(2, 0), (600, 600)])
    def test_metrics_tell_how_long_messages_may_have_waited(self, silence, unstored):
        listened(timezone.now() - dt.timedelta(seconds=silence))
        text = Client().get("/metrics").content.decode()
        assert metric(text, 'riser_listener_heartbeat_age_seconds{listener="one"}') == pytest.approx(silence, abs=5)
        assert metric(text, 'riser_listener_oldest_unstored_seconds{listener="one"}') == pytest.approx(unstored, abs=5)

    def test_the_listeners_page_in_admin_tells_the_same(self, as_manager):
        listened()
        (listener,) = ListenerState.objects.all()
        page = as_manager.get(f"/admin/metering/listenerstate/{listener.pk}/change/").content.decode()
        for text in ("missing: 2", "3.00 s", "ms on average", "s old"):
            assert text in page


def listened(now=NOON):
    """A listener refused a message, and another one three seconds after it came."""
    store = DatabaseStore("one", lambda: now)
    for waited in (0, 3):
        message = delivery(received_at=now - dt.timedelta(seconds=waited))
        store.save([Refused(message, InvalidMessage("missing", "voltage is missing."))])


def metric(text, name):
    """The value of one sample."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return float(line.rpartition(" ")[2])


@pytest.mark.parametrize("path", ["/nosuch", "/admin/nosuch/", "/history/nosuch"])
def test_a_page_that_is_not_there(path, settings, as_manager):
    settings.DEBUG = False
    response = as_manager.get(path)
    assert response.status_code == 404
    assert "Go to Riser" in response.content.decode()


@pytest.mark.parametrize("path", ["/", "/history", "/history?since=2026-11-01&until=2026-11-30"])
def test_a_page_asks_as_much_in_a_large_house_as_in_a_small_one(as_resident, building, meter, path):
    def asked():
        cache.clear()
        with CaptureQueriesContext(connection) as found:
            assert as_resident.get(path).status_code == 200
        return len(found)

    small = asked()
    homes = [ApartmentFactory(building=building) for _ in range(40)]
    Meter.objects.ensure_native(homes)
    for home in homes:
        TenancyFactory(apartment=home)
    assert asked() == small
