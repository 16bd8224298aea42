"""A household beside the house: only where nobody can be read out of it."""

import datetime as dt

import pytest
import time_machine
from django.core.cache import cache

from accounts.access import Residence
from metering.house.comparison import compare
from metering.models import Band, DayTotal, Meter
from metering.week import ALL_WEEK
from tests.factories import ApartmentFactory, TenancyFactory

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 11, 25)
FIRST = dt.date(2026, 11, 1)


@pytest.fixture(autouse=True)
def now(db):
    cache.clear()
    with time_machine.travel(dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC), tick=False):
        yield


def lived_in(building, number, kwh, known=1.0, area=None, moved_in=dt.date(2025, 1, 1), moved_out=None):
    """An apartment whose month up to yesterday came to that many kWh."""
    apartment = ApartmentFactory(building=building, number=number, area=area)
    (meter,) = Meter.objects.ensure_native([apartment])
    day = dt.timedelta(days=1)
    DayTotal.objects.bulk_create(
        DayTotal(meter=meter, date=FIRST + number * day, band=Band.objects.of_hours(ALL_WEEK)[0], exported=0, bridged=0,
                 energy=round(kwh * 1_000_000 / 24), covered=round(known * 86_400))
        for number in range(24)
    )  # fmt: skip
    return TenancyFactory(apartment=apartment, moved_in=moved_in, moved_out=moved_out)


@pytest.fixture
def house(building):
    """Eleven households that used 100, 110, … 200 kWh."""
    return [lived_in(building, f"{number}", 100 + 10 * number, area=50 + number) for number in range(11)]


def seen_by(tenancy):
    return compare(Residence.of(tenancy), TODAY)


def test_the_median_of_the_others(house):
    found = seen_by(house[0])
    assert (found.first, found.last, found.number, found.reason) == (FIRST, TODAY - dt.timedelta(days=1), 10, "")
    # 100 kWh in 50 m2, against the median of 110 / 51, … 200 / 60.
    assert found.per_area
    assert found.own == pytest.approx(2)
    assert found.others == pytest.approx((150 / 55 + 160 / 56) / 2)


def test_where_one_area_is_unknown_it_is_by_kwh(building, house):
    house[3].apartment.area = None
    house[3].apartment.save()
    found = seen_by(house[0])
    assert not found.per_area
    assert found.own == pytest.approx(100, abs=0.001)
    assert found.others == pytest.approx(155, abs=0.001)


def test_fewer_than_ten_others_are_too_few(house):
    house[10].moved_out = dt.date(2026, 11, 20)
    house[10].save()
    found = seen_by(house[0])
    assert (found.own, found.others) == (0, 0)
    assert found.reason == "it needs 10 other households with readings from all that time"


def test_one_that_uses_more_than_its_share_could_be_told(building, house):
    lived_in(building, "x", 320)
    assert "would tell of that one" in seen_by(house[0]).reason


@pytest.mark.parametrize("more", [{"known": 0.5}, {"moved_in": dt.date(2026, 11, 2)}, {"moved_out": FIRST}])
def test_who_was_not_there_all_the_time_is_not_compared(building, house, more):
    lived_in(building, "x", 150, **more)
    assert seen_by(house[0]).number == 10


def test_who_moved_in_lately_gets_no_comparison(building, house):
    late = lived_in(building, "x", 150, moved_in=dt.date(2026, 11, 2))
    assert seen_by(late).reason == "it needs readings of yours from nearly all of that time"


def test_on_the_first_it_is_the_month_before(building, house):
    found = compare(Residence.of(house[0]), dt.date(2026, 12, 1))
    assert (found.first, found.last) == (FIRST, dt.date(2026, 11, 30))


def test_the_house_is_counted_once_for_all_of_its_residents(house, django_assert_num_queries):
    seen_by(house[0])
    with django_assert_num_queries(1):
        seen_by(house[1])


def test_the_dashboard_says_either(building, house, client, resident):
    house[0].residents.add(resident)
    client.force_login(resident)
    resident.tenancies.exclude(pk=house[0].pk).delete()
    page = client.get("/").content.decode()
    assert "2.0 kWh per m²" in page
    assert "half of the 10 other households compared used less than <strong>2.8</strong>" in " ".join(page.split())
    house[5].delete()
    cache.clear()
    assert "There is no comparison with the house yet: it needs 10 other" in client.get("/").content.decode()
