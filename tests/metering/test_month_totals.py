"""Months are the sum of their days, whatever becomes of the days."""

import datetime as dt
import importlib
import threading
from decimal import Decimal

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import F, Sum

from metering.day_totals import apply_tariffs, sum_days
from metering.erasure import erase_day_totals
from metering.house.usage import usage_by_apartment
from metering.loads import derive_new
from metering.models import DayTotal, Load, MonthTotal, Reading
from metering.models.instant import LATEST
from metering.month_totals import hold
from metering.periods import By
from metering.retention import Chunk
from metering.usage import Subject, combine, usage
from tests.factories import MeterFactory, TariffFactory, TenancyFactory
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
FIGURES = ("energy", "exported", "bridged", "covered")


def use(meter, *dates, power=1000.0):
    """An hour in the morning and one at night of these days, heard when it was."""
    for date in dates:
        for begin in (meter.building.midnight(date) + 9 * HOUR, meter.building.midnight(date) + 2 * HOUR):
            Reading.objects.bulk_create(
                Reading(meter=meter, taken_at=begin + number * HOUR / 15, voltage=230, current=1, power=power)
                for number in range(16)
            )
        with time_machine.travel(meter.building.midnight(date) + 30 * HOUR, tick=False):
            sum(derive_new())


def months():
    rows = MonthTotal.objects.order_by("meter", "month", "band")
    return list(rows.values_list("meter", "month", "band", *FIGURES))


def days_in_sum():
    found = {}
    for total in DayTotal.objects.order_by("meter", "date", "band"):
        sums = found.setdefault((total.meter_id, total.date.replace(day=1), total.band_id), [0] * len(FIGURES))
        for number, name in enumerate(FIGURES):
            sums[number] += getattr(total, name)
    return sorted((*key, *sums) for key, sums in found.items())


@pytest.fixture
def dates():
    return [dt.date(2026, 8, 31), dt.date(2026, 9, 1), dt.date(2026, 9, 30), dt.date(2026, 10, 25)]


def test_follow_late_readings_and_new_tariffs(meter, dates):
    use(meter, *dates)
    assert months() == days_in_sum()
    assert len(months()) == 3
    # Of a day that lies between others.
    use(meter, dt.date(2026, 9, 12), power=300.0)
    assert months() == days_in_sum()
    TariffFactory(
        building=meter.building, rates={"Day": ("0.4", "06:00-22:00"), "Night": ("0.2", "")}, valid_from="2026-09-12"
    )
    sum(apply_tariffs())
    assert months() == days_in_sum()
    # All hours and the two bands in September, the two alone in October.
    assert [row[1].month for row in months()] == [8, 9, 9, 9, 10, 10]


def test_go_with_their_days(meter, dates):
    TenancyFactory(apartment=meter.apartment, moved_in=dt.date(2026, 9, 12))
    use(meter, *dates)
    with time_machine.travel(NOW + 1200 * DAY, tick=False):
        deleted = sum(erase_day_totals(Chunk()))
    assert deleted == 2
    assert months() == days_in_sum()
    assert [row[1].month for row in months()] == [9, 10]


def test_count_as_their_days_do(building, meter, dates):
    """However often the tariff changed, and whichever way one asks."""
    for since, price in (("2026-08-01", "0.3"), ("2026-09-15", "0.5"), ("2026-10-01", "0.1")):
        TariffFactory(building=building, rates={"All": (price, "")}, valid_from=since, standing_charge="0.1")
    use(meter, *dates)
    sum(apply_tariffs())
    first, last = dt.date(2026, 8, 1), dt.date(2026, 11, 1)
    span = (building.midnight(first), building.midnight(last))
    subject = Subject.of_apartment(meter.apartment)
    by_day = combine(usage(subject, *span, By.DAY, now=NOW))
    for by in (By.MONTH, By.YEAR):
        found = combine(usage(subject, *span, by, now=NOW))
        assert [getattr(found, name) for name in FIGURES] == [getattr(by_day, name) for name in FIGURES]
        assert [cost.total for cost in found.costs] == [cost.total for cost in by_day.costs]
        many = combine(usage_by_apartment(building, first, last, by, now=NOW)[meter.apartment.pk])
        assert (many.energy, many.costs) == (by_day.energy, by_day.costs)
    # An hour twice a day: 2 kWh on each of four days, and 92 days' standing charge.
    assert by_day.energy == 8_000_000
    assert by_day.costs[0].total == Decimal("0.3") * 4 + Decimal("0.5") * 2 + Decimal("0.1") * 2 + Decimal("9.2")


def test_a_month_of_a_day_in_another_one_is_not_taken_for_that_day(building, meter):
    """By days, September's total must not become that of 1 September."""
    use(meter, dt.date(2026, 9, 1), dt.date(2026, 9, 2))
    begin, end = building.midnight(dt.date(2026, 9, 1)), building.midnight(dt.date(2026, 10, 1))
    found = usage(Subject.of_apartment(meter.apartment), begin, end, By.DAY, now=NOW)
    assert [each.energy for each in found[:3]] == [2_000_000, 2_000_000, 0]


@pytest.mark.django_db(transaction=True)
def test_those_of_an_older_riser_are_summed_when_it_is_updated(meter, dates):
    use(meter, *dates)
    MonthTotal.objects.all().delete()
    migration = importlib.import_module("metering.migrations.0007_month_totals")
    with connection.schema_editor() as editor:
        migration.sum_months(None, editor)
    assert months() == days_in_sum()


def test_what_was_derived_while_it_waited_is_in_the_sum(meter, monkeypatch):
    use(meter, dt.date(2026, 9, 1))
    before = DayTotal.objects.get().energy

    def hold_after_others(meters):
        Load.objects.update(energy=F("energy") * 2)
        hold(meters)

    monkeypatch.setattr("metering.day_totals.hold", hold_after_others)
    sum(sum_days(Load.objects.values_list("meter", "quarter"), LATEST))
    assert DayTotal.objects.get().energy == 2 * before
    assert months() == days_in_sum()


@pytest.mark.postgres  # SQLite lets nobody else write meanwhile
@pytest.mark.django_db(transaction=True)
def test_two_who_sum_different_days_of_a_month_wait_for_each_other(meter):
    use(meter, dt.date(2026, 9, 1))

    def meanwhile():
        use(meter, dt.date(2026, 9, 2))
        connection.close()

    # A transaction sees who waits as it was when it first looked.
    observer = connection.copy()

    def waits() -> bool:
        with observer.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            return cursor.fetchone()[0] > 0

    other = threading.Thread(target=meanwhile)
    with transaction.atomic():
        hold([meter.pk])
        other.start()
        wait_for(waits, "the other one waits")
        assert DayTotal.objects.filter(date="2026-09-02").count() == 0
    other.join()
    observer.close()
    assert DayTotal.objects.aggregate(total=Sum("energy"))["total"] == 4_000_000
    assert months() == days_in_sum()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_readings_are_stored_while_days_are_summed():
    meter = MeterFactory()
    other = connection.copy()
    with transaction.atomic():
        hold([meter.pk])
        with other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
            cursor.execute(
                "INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)"
                " VALUES (%s, now(), 230, 4, 920, '')",
                [meter.pk],
            )
    other.close()
    assert Reading.objects.count() == 1
