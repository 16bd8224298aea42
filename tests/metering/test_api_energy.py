"""Energy and cost over the API: the same figures as on the pages."""

import datetime as dt

import pytest
import time_machine

from metering.loads import derive_new
from metering.models import Reading
from tests.factories import TariffFactory, TenancyFactory

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def measured(building, meter, tenancy):
    """1000 W for three days."""
    TariffFactory(building=building, rates={"Day": ("0.4", "06:00-22:00"), "Night": ("0.2", "")}, standing_charge="1")
    with time_machine.travel(NOW, tick=False):
        begin = building.midnight(dt.date(2026, 11, 22))
        Reading.objects.bulk_create(
            Reading(meter=meter, taken_at=begin + dt.timedelta(minutes=5 * n), voltage=230, current=4, power=1000)
            for n in range(3 * 288 + 1)
        )
        sum(derive_new())
        yield meter


def ask(client, **query):
    return client.get("/api/energy", query)


def test_days(as_resident):
    answer = ask(as_resident, since="2026-11-23", until="2026-11-24")
    assert answer.status_code == 200
    first, second = answer.json()
    assert first == {
        "begin": "2026-11-23T00:00:00+01:00",
        "end": "2026-11-24T00:00:00+01:00",
        "energy_kwh": 24.0,
        "exported_kwh": 0.0,
        "bridged_kwh": 0.0,
        "unpriced_kwh": 0.0,
        "known": 1.0,
        "rates": [
            {"name": "Day", "price": "0.400000", "energy_kwh": 16.0},
            {"name": "Night", "price": "0.200000", "energy_kwh": 8.0},
        ],
        "costs": [
            {
                "currency": "EUR",
                "energy": "8.000000",
                "standing_charge": "1.000000",
                "tax": "0.000000",
                "total": "9.000000",
            }
        ],
    }
    assert second["begin"] == first["end"]


@pytest.mark.parametrize(("by", "parts"), [("hour", 48), ("day", 2), ("week", 1), ("month", 1), ("year", 1)])
def test_parts(as_resident, by, parts):
    found = ask(as_resident, since="2026-11-23", until="2026-11-24", by=by).json()
    assert len(found) == parts
    assert sum(part["energy_kwh"] for part in found) == 48


def test_time_to_come_and_other_peoples_is_in_none(as_resident, as_neighbour, tenancy):
    tenancy.moved_in = dt.date(2026, 11, 24)
    tenancy.save()
    found = ask(as_resident, since="2020-01-01", until="2999-12-31").json()
    assert [part["energy_kwh"] for part in found] == [24.0, 0.0]
    assert sum(part["energy_kwh"] for part in ask(as_neighbour, since="2026-11-01", until="2026-11-30").json()) == 0


def test_of_other_peoples_time_between_ones_own_nothing_is_told(as_resident, resident, tenancy):
    tenancy.moved_out = dt.date(2026, 11, 23)
    tenancy.save()
    TenancyFactory(apartment=tenancy.apartment, moved_in=dt.date(2026, 11, 24)).residents.add(resident)
    found = ask(as_resident, since="2026-11-22", until="2026-11-24").json()
    assert [part["begin"][:10] for part in found] == ["2026-11-22", "2026-11-24"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"since": "2026-11-24", "until": "2026-11-23"}, 200),
        ({"since": "2026-11-24"}, 422),
        ({"since": "9999-12-31", "until": "0001-01-01"}, 200),
        ({"since": "2026-11-24", "until": "2026-11-24", "by": "second"}, 422),
        ({"since": "2025-01-02", "until": "2026-11-24", "by": "hour"}, 409),
        ({"since": "1980-01-01", "until": "2026-11-24", "by": "year"}, 200),
    ],
)
def test_odd_questions(as_resident, query, status):
    answer = ask(as_resident, **query)
    assert answer.status_code == status
    if status == 200 and "by" not in query:
        assert answer.json() == []
