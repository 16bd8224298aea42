"""The switch between apartments and meters, and what follows it."""

import datetime as dt
import json
from urllib.parse import parse_qsl

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.loads import derive_new
from tests.factories import ApartmentFactory, MeterFactory, ReadingFactory, TariffFactory, TenancyFactory
from tests.metering.test_export import download

NOON = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def heat_pump(apartment, meter):
    """A second meter of the apartment, at the same time. It takes 2 kW, the first one 1 kW."""
    second = MeterFactory(apartment=apartment, topic="house/heat-pump", serial="HP-1")
    for each, power in ((meter, 1000), (second, 2000)):
        for minutes in range(31):
            taken_at = NOON - minutes * MINUTE - (each == meter) * MINUTE / 2
            ReadingFactory(meter=each, taken_at=taken_at, power=power, voltage=230 + (each == second))
    sum(derive_new())
    return second


def options(row):
    return [(option.title, option.query, option.is_shown) for option in row]


def switch(client, path="/"):
    found = client.get(path).context["switch"]
    return [options(found.apartments), options(found.meters)]


def test_with_one_apartment_and_one_meter_there_is_no_switch(as_resident, meter):
    assert switch(as_resident) == [[], []]
    assert "Apartment and meter" not in as_resident.get("/").content.decode()


def test_a_meter_that_never_spoke_is_no_choice(as_resident, apartment, meter):
    MeterFactory(apartment=apartment, topic="house/new")
    ReadingFactory(meter=meter, taken_at=NOON)
    sum(derive_new())
    assert switch(as_resident) == [[], []]


def test_everything_follows_the_meter(as_resident, building, meter, heat_pump):
    TariffFactory(building=building, standing_charge="0.50")
    today = "since=2026-11-23&until=2026-11-23"
    assert switch(as_resident, f"/history?meter={heat_pump.pk}&{today}") == [
        [],
        [("All meters", today, False), (f"No. {meter.pk}", f"meter={meter.pk}&{today}", False),
         ("HP-1", f"meter={heat_pump.pk}&{today}", True)],
    ]  # fmt: skip
    for query, power, energies in ((f"meter={meter.pk}", 1000, [0.5]), (f"meter={heat_pump.pk}", 2000, [1.0]),
                                   ("", 2000, [1.5])):  # fmt: skip
        assert as_resident.get(f"/api/power-data?{query}").json()["power"] == power
        recent = as_resident.get(f"/api/recent?{query}").json()["power"]
        assert set(recent) == ({power} if query else {1000, 2000})
        assert max(as_resident.get(f"/api/curve?{today}&{query}").json()["peak"]) == power
        used = as_resident.get(f"/api/energy?{today}&{query}").json()
        assert [round(part["energy_kwh"], 1) for part in used] == energies
        # A standing charge is the apartment's.
        assert [float(cost["standing_charge"]) for part in used for cost in part["costs"]] == [0 if query else 0.5]
        history = as_resident.get(f"/history?{query}")
        assert history.context["statistics"]["maximum"] == power
        assert {row.power for row in history.context["page"]} == ({power} if query else {1000, 2000})
        body, _ = download(as_resident, "readings", "json", **dict(parse_qsl(query)))
        assert {row["power_w"] for row in json.loads(body)} == ({power} if query else {1000, 2000})


def test_a_reading_is_saved_of_the_meter_that_is_shown(as_resident, meter, heat_pump):
    saved = as_resident.post(f"/api/save-reading?meter={meter.pk}", {"note": "Kettle"}).json()
    assert saved["power"] == 1000
    assert set(saved) == {"id", "apartment", "floor", "voltage", "current", "power", "timestamp", "saved_at", "note"}
    assert as_resident.delete(f"/api/saved-readings/{saved['id']}?meter={heat_pump.pk}").status_code == 404
    assert as_resident.delete(f"/api/saved-readings/{saved['id']}?meter={meter.pk}").status_code == 204


def test_links_keep_the_choice(as_resident, heat_pump):
    chosen = f"meter={heat_pump.pk}"
    page = as_resident.get(f"/history?{chosen}&since=2026-11-01&until=2026-11-30").content.decode()
    for link in (f'href="/?{chosen}"', f'href="/history?{chosen}"',
                 f'href="?since=2026-11-23&amp;until=2026-11-29&amp;{chosen}"', f'name="meter" value="{heat_pump.pk}"',
                 f"what=days&amp;format=csv&amp;since=2026-11-01&amp;until=2026-11-30&amp;{chosen}"):  # fmt: skip
        assert link in page, link
    dashboard = as_resident.get(f"/?{chosen}").content.decode()
    for link in (f'data-stream="/live?{chosen}"', f'data-url="/api/power-data?{chosen}"',
                 f'data-forget="/api/saved-readings/0?{chosen}"', f'action="/api/save-reading?{chosen}"'):  # fmt: skip
        assert link in dashboard, link


def test_it_says_what_all_meters_together_mean(as_resident, heat_pump):
    assert "Energy is the sum of all meters." in as_resident.get("/").content.decode()
    assert "Energy is the sum of all meters." not in as_resident.get(f"/?meter={heat_pump.pk}").content.decode()


def test_a_meter_that_was_replaced_has_its_own_time_alone(as_resident, apartment):
    old = MeterFactory(apartment=apartment, topic="house/old", serial="old", removed_at=NOON - 60 * MINUTE)
    new = MeterFactory(apartment=apartment, topic="house/new", serial="new", installed_at=NOON - 60 * MINUTE)
    for each, first in ((old, 120), (new, 60)):
        for minutes in range(1, 60):
            ReadingFactory(meter=each, taken_at=NOON - (first - minutes) * MINUTE, power=600)
    sum(derive_new())
    page = as_resident.get(f"/?meter={old.pk}").content.decode()
    assert "This meter was removed on 23 November 2026." in page
    assert "until 23 Nov 2026" in page
    assert "Energy is the sum" not in as_resident.get("/").content.decode()
    (used,) = as_resident.get(f"/api/energy?since=2026-11-23&until=2026-11-23&meter={new.pk}").json()
    # Since it is there, but for the moments at either end.
    assert used["known"] > 0.9


def test_the_meters_of_an_apartment_add_up_to_all_of_them(as_resident, apartment):
    """Though one was replaced in the middle of a quarter hour."""
    replaced = NOON - 63 * MINUTE
    old = MeterFactory(apartment=apartment, topic="house/old", serial="old", removed_at=replaced)
    new = MeterFactory(apartment=apartment, topic="house/new", serial="new", installed_at=replaced)
    for each, first, last in ((old, 120, 64), (new, 63, 1)):
        for minutes in range(last, first):
            ReadingFactory(meter=each, taken_at=NOON - minutes * MINUTE, power=600)
    sum(derive_new())

    def energy(choice):
        answer = as_resident.get(f"/api/energy?since=2026-11-23&until=2026-11-23{choice}").json()
        return round(sum(part["energy_kwh"] for part in answer), 6)

    assert energy(f"&meter={old.pk}") + energy(f"&meter={new.pk}") == pytest.approx(energy(""))


def test_apartments_of_now_come_first(as_resident, resident, building, apartment, meter):
    past = ApartmentFactory(building=building, number="099")
    TenancyFactory(apartment=past, moved_in=dt.date(2024, 1, 1), moved_out=dt.date(2025, 1, 1)).residents.add(resident)
    assert switch(as_resident) == [
        [("101", "apartment=house/101", True), ("099", "apartment=house/099", False)], [],
    ]  # fmt: skip
    page = as_resident.get("/?apartment=house/099").content.decode()
    assert "You moved out on 1 January 2025." in page
    assert "until 1 Jan 2025" in page


def test_the_switch_asks_the_database_nothing_where_there_is_none(as_resident, resident, building, meter):
    def asked():
        with CaptureQueriesContext(connection) as found:
            as_resident.get("/history")
        return len(found)

    before = asked()
    past = ApartmentFactory(building=building, number="099")
    TenancyFactory(apartment=past, moved_in=dt.date(2024, 1, 1), moved_out=dt.date(2025, 1, 1)).residents.add(resident)
    assert asked() == before
