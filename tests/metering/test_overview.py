"""What a resident sees first of energy and money: today, yesterday, the month and what it may come to, a year ago."""

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import Residence
from metering.loads import derive_new
from metering.models import Load, Reading
from metering.overview import overview
from metering.periods import Period
from tests.factories import ApartmentFactory, MeterFactory, TariffFactory, TenancyFactory
from tests.measured import kwh, use

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR
MINUTE = dt.timedelta(minutes=1)
NOW = dt.datetime(2026, 11, 25, 12, 7, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def residence(apartment):
    return Residence.of(TenancyFactory(apartment=apartment, moved_in=dt.date(2025, 1, 1)))


def test_today_yesterday_month_and_how_it_will_end(building, meter, residence):
    TariffFactory(building=building, rates={"All": ("0.5", "")}, standing_charge="1")
    begin = building.midnight(dt.date(2026, 11, 10))
    use(meter, begin, building.midnight(dt.date(2026, 11, 25)))
    use(meter, building.midnight(dt.date(2026, 11, 25)) + MINUTE, NOW, power=2000.0, every=MINUTE)
    found = overview(residence, NOW)
    assert kwh([found.yesterday, found.month]) == [24, 15 * 24 + found.today.energy / 1_000_000]
    assert round(found.today.energy / 1_000_000, 1) == 26.2
    assert found.projection.days == 15
    assert found.projection.remaining == 6
    # Nine days before the first reading, and six to come.
    assert found.projection.energy == (15 + 6 + 9) * 24_000_000
    # 24 days of November up to yesterday pay for standing, and six days like the fifteen complete ones.
    (cost,) = found.projection.costs
    assert (cost.energy, cost.standing) == (30 * 12, 30)
    assert found.year_ago is None


def test_what_was_not_measured_counts_like_other_days(building, meter, residence):
    """Ten silent days and a silent half one are in no sum so far; the month will have them all the same."""
    TariffFactory(building=building, rates={"All": ("0.5", "")}, standing_charge="1", tax_rate="20")
    begin = building.midnight(dt.date(2026, 11, 1))
    use(meter, begin + 10 * DAY + 12 * HOUR, NOW)
    found = overview(residence, NOW)
    assert found.projection.energy == 30 * 24_000_000
    assert found.projection.unmeasured == 10.5 * 86400
    (cost,) = found.projection.costs
    assert [round(part, 6) for part in (cost.energy, cost.standing, cost.tax)] == [360, 30, 78]


def test_the_page_says_so(as_resident, building, meter):
    use(meter, building.midnight(dt.date(2026, 11, 11)), NOW)
    assert "What was not measured, 10 days up to yesterday, counts like" in as_resident.get("/").content.decode()


def test_it_counts_so_where_today_was_more_already(building, meter, residence):
    begin = building.midnight(dt.date(2026, 11, 1))
    use(meter, begin + 5 * DAY, begin + 29 * DAY, power=10.0)
    use(meter, begin + 29 * DAY + 5 * MINUTE, begin + 30 * DAY, power=9000.0)
    found = overview(residence, begin + 30 * DAY - MINUTE)
    assert found.projection.energy == found.month.energy + 5 * 240_000


def test_what_the_register_counted_in_silence_does_not_count_twice(building, meter, residence):
    begin = building.midnight(dt.date(2026, 11, 1))
    shown = [(begin, 100)] + [(begin + 10 * DAY + n * 5 * MINUTE, 220 + n / 12) for n in range(14 * 288 + 157)]
    Reading.objects.bulk_create(
        Reading(meter=meter, taken_at=instant, voltage=230, current=1, power=1000.0, energy_total=register)
        for instant, register in shown
    )
    sum(derive_new())
    found = overview(residence, NOW)
    assert found.month.bridged == 120_000_000
    assert (found.projection.energy, found.projection.unmeasured) == ((10 * 12 + 20 * 24) * 1_000_000, 0)


def test_a_projection_needs_a_week(building, meter, residence):
    use(meter, building.midnight(dt.date(2026, 11, 19)), NOW)
    assert overview(residence, NOW).projection is None


def test_a_day_that_used_more_already_counts_as_it_is(building, meter, residence):
    use(meter, building.midnight(dt.date(2026, 11, 1)), building.midnight(dt.date(2026, 11, 30)), power=10.0)
    use(
        meter,
        building.midnight(dt.date(2026, 11, 30)) + 5 * MINUTE,
        building.midnight(dt.date(2026, 12, 1)),
        9000.0,
    )
    last = building.midnight(dt.date(2026, 12, 1)) - MINUTE
    found = overview(residence, last)
    assert found.projection.energy == found.month.energy


def test_another_price_lately_is_that_of_the_days_to_come(building, meter, residence):
    TariffFactory(building=building, rates={"All": ("0.2", "")})
    TariffFactory(building=building, valid_from=dt.date(2026, 11, 1), rates={"All": ("0.4", "")})
    use(meter, building.midnight(dt.date(2026, 10, 20)), NOW)
    (cost,) = overview(residence, NOW).projection.costs
    assert cost.total == pytest.approx(30 * 24 * Decimal("0.4"))
    lately = building.midnight(dt.date(2026, 11, 1)) + 12 * HOUR
    assert overview(residence, lately).projection.costs == []


def test_it_ends_with_moving_out(building, meter, apartment):
    tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 1, 1), moved_out=dt.date(2026, 11, 28))
    use(meter, building.midnight(dt.date(2026, 11, 1)), NOW)
    found = overview(Residence.of(tenancy), NOW).projection
    assert (found.remaining, found.energy) == (3, 27 * 24_000_000)


def test_the_last_day_stays_when_its_quarter_hours_are_erased(building, meter, apartment):
    tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 1, 1), moved_out=dt.date(2026, 11, 20))
    use(meter, building.midnight(dt.date(2026, 11, 18)), building.midnight(dt.date(2026, 11, 21)))
    Load.objects.all().delete()
    assert overview(Residence.of(tenancy), NOW).today.energy == 24_000_000


def test_the_same_span_a_year_ago(building, meter, residence):
    begin = building.midnight(dt.date(2025, 11, 1))
    use(meter, begin, begin + 30 * DAY)
    found = overview(residence, NOW)
    assert found.year_ago.period == Period(begin, dt.datetime(2025, 11, 25, 12, 7, tzinfo=dt.UTC))
    assert found.year_ago.energy == (24 * 24 + 13.25) * 1_000_000


def test_somebody_elses_year_ago_is_not_shown(building, meter, apartment):
    residence = Residence.of(TenancyFactory(apartment=apartment, moved_in=dt.date(2025, 11, 2)))
    begin = building.midnight(dt.date(2025, 11, 1))
    use(meter, begin, begin + 30 * DAY)
    assert overview(residence, NOW).year_ago is None


def test_who_moved_out_and_in_again_on_one_day_keeps_the_year_ago(building, meter, apartment):
    first = TenancyFactory(apartment=apartment, moved_in=dt.date(2025, 1, 1), moved_out=dt.date(2025, 11, 10))
    again = TenancyFactory(apartment=apartment, moved_in=dt.date(2025, 11, 10))
    begin = building.midnight(dt.date(2025, 11, 1))
    use(meter, begin, begin + 30 * DAY)
    assert overview(Residence.of(again, first), NOW).year_ago.energy == (24 * 24 + 13.25) * 1_000_000
    # A day in between is somebody else's.
    again.moved_in = dt.date(2025, 11, 11)
    assert overview(Residence.of(again, first), NOW).year_ago is None


def test_without_any_reading(meter, residence):
    found = overview(residence, NOW)
    assert (found.today.energy, found.yesterday, found.projection, found.year_ago) == (0, None, None, None)
    assert found.today.known == 0


def test_on_the_first_day_in_the_apartment(building, meter, apartment):
    residence = Residence.of(TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 11, 25)))
    use(meter, building.midnight(dt.date(2026, 11, 20)), NOW)
    found = overview(residence, NOW)
    assert found.yesterday is None
    assert found.month.energy == found.today.energy


def test_after_moving_out_it_is_of_the_last_day(building, meter, apartment):
    tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 1, 1), moved_out=dt.date(2026, 11, 20))
    use(meter, building.midnight(dt.date(2026, 11, 18)), NOW)
    found = overview(Residence.of(tenancy), NOW)
    assert kwh([found.today, found.yesterday, found.month]) == [24, 24, 48]


def test_a_large_house_costs_a_resident_no_more(building, apartment, meter, tenancy):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            overview(Residence.of(tenancy), NOW)
        return len(asked)

    use(meter, NOW - 3 * DAY, NOW)
    before = queries()
    for number in range(40):
        MeterFactory(apartment=ApartmentFactory(building=building, number=f"x{number}"))
    assert queries() == before
