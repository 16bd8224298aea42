"""The same local days a year earlier: which these are, what was used, and where there is nothing to compare with."""

import datetime as dt
import re
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.history.stretch import Stretch
from metering.history.year_ago import a_year_before_of
from tests.factories import TariffFactory, TenancyFactory, UserFactory
from tests.metering.test_usage import DAY, NOW, use

DAY_QUERY = "since=2026-11-20&until=2026-11-20&year_ago=1"
MONTH_QUERY = "since=2026-11-01&until=2026-11-30&year_ago=1"


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


def days(first, last):
    return Stretch(dt.date.fromisoformat(first), dt.date.fromisoformat(last))


def on(building, text):
    return building.midnight(dt.date.fromisoformat(text))


def found(client, query):
    return client.get(f"/history?{query}").context["year_ago"]


def page(client, query):
    return client.get(f"/history?{query}").content.decode()


@pytest.mark.parametrize(
    ("shown", "then"),
    [
        (days("2026-11-20", "2026-11-20"), days("2025-11-20", "2025-11-20")),
        (days("2026-11-16", "2026-11-22"), days("2025-11-16", "2025-11-22")),
        (days("2024-02-29", "2024-02-29"), days("2023-02-28", "2023-02-28")),
        (days("2025-02-28", "2025-02-28"), days("2024-02-28", "2024-02-28")),
        (days("2025-02-01", "2025-02-28"), days("2024-02-01", "2024-02-29")),
        (days("2024-02-01", "2024-02-29"), days("2023-02-01", "2023-02-28")),
        (days("2025-01-01", "2025-12-31"), days("2024-01-01", "2024-12-31")),
        (days("2025-12-29", "2026-01-04"), days("2024-12-29", "2025-01-04")),
    ],
)
def test_the_same_dates(shown, then):
    assert a_year_before_of(shown) == then


def test_a_day_beside_the_one_of_a_year_before(as_resident, building, meter):
    TariffFactory(building=building, rates={"All": ("0.5", "")})
    use(meter, on(building, "2025-11-20"), on(building, "2025-11-21"), power=2000.0)
    use(meter, on(building, "2026-11-20"), on(building, "2026-11-21"))
    before = found(as_resident, DAY_QUERY)
    assert (before.sum.energy, before.is_part, before.is_own) == (48_000_000, False, True)
    assert (before.difference.energy, before.difference.share, before.difference.money) == (-24_000_000, -0.5, -12)
    assert [round(part.energy / 1_000_000, 1) for part in before.parts] == [2.0] * 24
    text = page(as_resident, DAY_QUERY)
    for words in ("−24.0", "−€12.00", "−50 %", "Thursday 20 November 2025", "; a year before 2.00 kWh",
                  "/api/curve?since=2025-11-20&amp;until=2025-11-20", 'data-shift="31536000"'):  # fmt: skip
        assert words in text, words


def test_a_month_that_is_not_over_is_compared_as_far_as_it_has_come(as_resident, building, meter):
    use(meter, on(building, "2025-11-24"), on(building, "2025-11-27"))
    use(meter, on(building, "2026-11-24"), NOW)
    before = found(as_resident, MONTH_QUERY)
    assert before.period.end == dt.datetime(2025, 11, 25, 12, 7, tzinfo=dt.UTC)
    assert before.is_part
    # Most of this November is unknown.
    assert before.difference is None
    assert len(before.parts) == 25
    text = page(as_resident, MONTH_QUERY)
    assert "up to 25 November 2025, 13:07" in text
    assert "Too little was measured in one of the two" in text


def test_the_29th_of_february_stands_alone(as_resident, tenancy, building, meter):
    tenancy.moved_in = dt.date(2022, 1, 1)
    tenancy.save()
    use(meter, on(building, "2023-02-27"), on(building, "2023-03-02"))
    before = found(as_resident, "since=2024-02-28&until=2024-03-01&year_ago=1")
    assert [part and round(part.energy / 1_000_000) for part in before.parts] == [24, None, 24]


def test_hours_have_the_same_name_on_the_clock(as_resident, building, meter):
    """The clock went back on 26 October 2025, and on the 25th of 2026."""
    use(meter, on(building, "2025-10-25"), on(building, "2025-10-27"))
    before = found(as_resident, "since=2026-10-25&until=2026-10-25&year_ago=1")
    assert len(before.parts) == 25
    assert all(round(part.energy / 1_000_000) == 1 for part in before.parts)

    # Beside the one hour from 2 to 3 stand both that were called so.
    before = found(as_resident, "since=2026-10-26&until=2026-10-26&year_ago=1")
    assert [round(part.energy / 1_000_000) for part in before.parts] == [1, 1, 2, *[1] * 21]


def test_two_tenancies_without_a_day_between_are_one_time(as_resident, resident, tenancy, building, meter):
    tenancy.moved_out = dt.date(2025, 11, 10)
    tenancy.save()
    TenancyFactory(apartment=tenancy.apartment, moved_in=tenancy.moved_out).residents.add(resident)
    use(meter, on(building, "2025-11-08"), on(building, "2025-11-12"))
    before = found(as_resident, MONTH_QUERY)
    assert (before.is_own, round(before.sum.energy / 1_000_000)) == (True, 96)
    assert "Only a part of the year before is in your time" not in page(as_resident, MONTH_QUERY)


@pytest.mark.parametrize(
    ("power", "power_before", "energies", "difference"),
    [(1402.1, 1292.3, ("33.7", "31.0"), "+2.7"), (411, 412.6, ("9.86", "9.90"), "−0.04"),
     (411, 512.6, ("9.9", "12.3"), "−2.4"), (400, 400, ("9.60", "9.60"), "0.00")],
)  # fmt: skip
def test_the_difference_fits_what_is_shown(as_resident, building, meter, power, power_before, energies, difference):
    TariffFactory(building=building, rates={"All": ("0.39487", "")})
    use(meter, on(building, "2025-11-20"), on(building, "2025-11-21"), power=power_before)
    use(meter, on(building, "2026-11-20"), on(building, "2026-11-21"), power=power)
    text = page(as_resident, DAY_QUERY).partition("year-ago-title")[2].partition("</section>")[0]
    assert re.findall(r'class="sum">(\S+) <', text) == [*energies, difference]
    now_, then, found = re.findall(r'class="price">(\S+)</dd>', text)
    signed = Decimal(found.replace("−", "-").replace("€", ""))
    assert Decimal(now_[1:]) - Decimal(then[1:]) == signed


class TestNothingToCompare:
    def test_before_moving_in(self, as_resident, tenancy, building, meter):
        tenancy.moved_in = dt.date(2026, 1, 1)
        tenancy.save()
        use(meter, on(building, "2025-11-20"), on(building, "2025-11-21"), power=7777.0)
        before = found(as_resident, DAY_QUERY)
        assert (before.sum.energy, before.difference) == (0, None)
        text = page(as_resident, DAY_QUERY)
        assert "is not in your time in this apartment" in text
        assert "data-before" not in text
        assert not as_resident.get(f"/history?{DAY_QUERY}").context["energy"].is_beside

    def test_moved_in_between(self, as_resident, tenancy, building, meter):
        tenancy.moved_in = dt.date(2025, 11, 10)
        tenancy.save()
        use(meter, on(building, "2025-11-09"), on(building, "2025-11-12"))
        before = found(as_resident, MONTH_QUERY)
        assert (before.sum.energy, before.difference, before.is_own) == (2 * 24_000_000, None, False)
        assert "Only a part of the year before is in your time" in page(as_resident, MONTH_QUERY)

    def test_somebody_else_lived_here_in_between(self, resident, as_resident, apartment, tenancy, building, meter):
        tenancy.moved_in = dt.date(2026, 6, 1)
        tenancy.save()
        TenancyFactory(
            apartment=apartment, moved_in=dt.date(2025, 11, 20), moved_out=dt.date(2026, 6, 1)
        ).residents.add(UserFactory())
        TenancyFactory(
            apartment=apartment, moved_in=dt.date(2025, 1, 1), moved_out=dt.date(2025, 11, 20)
        ).residents.add(resident)
        use(meter, on(building, "2025-11-18"), on(building, "2025-11-22"))
        assert found(as_resident, MONTH_QUERY).sum.energy == 2 * 24_000_000
        assert found(as_resident, DAY_QUERY).sum.energy == 0

    def test_nothing_was_measured(self, as_resident, building, meter):
        use(meter, on(building, "2026-11-20"), on(building, "2026-11-21"))
        text = page(as_resident, DAY_QUERY)
        assert "nothing was measured on Thursday 20 November 2025" in text
        # Nor is there a place kept for it.
        for words in ("data-before", '<th scope="col" class="number">A year before</th>', "before-bar", "bar before",
                      "Mean a year before"):  # fmt: skip
            assert words not in text, words


def test_it_is_asked_for_on_request_only(as_resident, building, meter):
    use(meter, NOW - DAY, NOW)

    def asked(query):
        with CaptureQueriesContext(connection) as queries:
            response = as_resident.get(f"/history?{query}")
        return len(queries), response.context["also"]

    plain, also = asked("since=2026-11-24&until=2026-11-24")
    assert ("A year before", "since=2026-11-24&until=2026-11-24&year_ago=1", False) in also
    more, also = asked("since=2026-11-24&until=2026-11-24&year_ago=1")
    assert plain < more <= plain + 8
    assert ("A year before", "since=2026-11-24&until=2026-11-24", True) in also
    # Where there is no stretch of days there is none a year before either.
    _, also = asked("since=2026-11-24")
    assert [title for title, _, _ in also] == ["Voltage"]
    assert as_resident.get("/history?show=saved&year_ago=1&voltage=1").status_code == 200
