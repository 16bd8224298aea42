"""What energy costs on which day and at what hour, and what a change of prices does to days that are past."""

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from metering.day_totals import apply_tariffs
from metering.loads import derive_new
from metering.models import DayTotal, Load, Rate, Reading, Tariff, share_week
from metering.models.instant import EPOCH
from metering.periods import By
from metering.tariffs import Timeline, withdraw
from metering.usage import Subject, usage
from metering.week import ALL_WEEK, parse_hours
from tests.factories import ApartmentFactory, MeterFactory, TariffFactory

pytestmark = pytest.mark.django_db
DAY_AND_NIGHT = {"Day": ("0.40", "06:00-22:00"), "Night": ("0.20", "")}
MINUTE = dt.timedelta(minutes=1)


def rates(*hours):
    return [Rate(name=f"rate {number}", price=1, hours=text) for number, text in enumerate(hours)]


@pytest.mark.parametrize(
    ("hours", "problem"),
    [
        (["", ""], "“rate 0” and “rate 1” are both without hours. Only one may hold at all others."),
        ([], "No rate holds on Mon-Sun 00:00-24:00."),
        (["Mon-Fri 06:00-22:00"], "No rate holds on Mon-Fri 00:00-06:00, Mon-Fri 22:00-24:00, Sat-Sun 00:00-24:00."),
        (
            ["06:00-22:00", "21:00-07:00"],
            "“rate 0” and “rate 1” both hold on Mon-Sun 06:00-07:00, Mon-Sun 21:00-22:00.",
        ),
        (["00:00-24:00", ""], "“rate 1” never holds: the others take the whole week. Give it hours, or remove it."),
    ],
)
def test_holes_and_overlaps_are_named(hours, problem):
    with pytest.raises(ValidationError) as refused:
        share_week(rates(*hours))
    assert refused.value.messages == [problem]


def test_every_quarter_hour_belongs_to_one_rate():
    shares = [slots for _, slots in share_week(rates("Mon-Fri 06:00-22:00", "Sat 07:00-13:00", ""))]
    assert sum(shares) == ALL_WEEK
    assert shares[0] == parse_hours("Mon-Fri 06:00-22:00")


def test_two_tariffs_from_one_day_are_one_too_many(building):
    TariffFactory(building=building)
    with pytest.raises(IntegrityError), transaction.atomic():
        TariffFactory(building=building)


def test_the_tariff_of_a_day(building):
    old = TariffFactory(building=building, valid_from=dt.date(2025, 1, 1))
    new = TariffFactory(building=building, valid_from=dt.date(2026, 1, 1))
    TariffFactory(building=building, valid_from=dt.date(2025, 6, 1), replaced_at=EPOCH)
    TariffFactory(valid_from=dt.date(2025, 3, 1))
    timeline = Timeline(building)
    days = ["2024-12-31", "2025-01-01", "2025-12-31", "2026-01-01", "2030-01-01"]
    assert [timeline.on(dt.date.fromisoformat(day)) for day in days] == [None, old, old, new, new]


@pytest.mark.parametrize(
    ("date", "day", "night"),
    [("2026-11-20", 64, 32), ("2026-03-29", 64, 28), ("2026-10-25", 64, 36)],
)
def test_a_day_in_parts(building, date, day, night):
    """In Berlin the night is an hour shorter, or longer, when the clocks change."""
    TariffFactory(building=building, rates=DAY_AND_NIGHT)
    timeline = Timeline(building)
    stretches = timeline.stretches(dt.date.fromisoformat(date))
    length: Counter[int] = Counter()
    for stretch in stretches:
        length[stretch.band] += stretch.end - stretch.begin
    by_day, by_night = (priced.band.pk for priced in timeline.rates(timeline.tariffs[0]))
    assert length == {by_day: day, by_night: night}
    assert [before.end for before in stretches[:-1]] == [after.begin for after in stretches[1:]]


def consume(building, date, days=1, power=1000.0, meter=None):
    """A meter with that power on these local days, derived."""
    meter = meter or MeterFactory(apartment=ApartmentFactory(building=building))
    begin, end = building.midnight(date), building.midnight(date + days * dt.timedelta(days=1))
    count = (end - begin) // (5 * MINUTE)
    Reading.objects.bulk_create(
        Reading(meter=meter, taken_at=begin + number * 5 * MINUTE, voltage=230, current=4, power=power)
        for number in range(count + 1)
    )
    with time_machine.travel(end + dt.timedelta(hours=2), tick=False):
        sum(derive_new())
    return meter


def cost_of(meter, date, days=1):
    building = meter.building
    begin, end = building.midnight(date), building.midnight(date + days * dt.timedelta(days=1))
    found = usage(Subject.of_meter(meter), begin, end, By.DAY, now=end + dt.timedelta(days=3))
    return [sum((cost.total for cost in each.costs), Decimal(0)) for each in found]


@pytest.mark.parametrize(
    ("date", "kwh", "cost"),
    [("2026-11-20", 24, "8.00"), ("2026-03-29", 23, "7.80"), ("2026-10-25", 25, "8.20")],
)
def test_a_normal_day_and_the_two_clock_changes(building, date, kwh, cost):
    """1000 W all day: 16 h at 0.40 a kWh, the rest, 7, 8 or 9 h, at 0.20."""
    TariffFactory(building=building, rates=DAY_AND_NIGHT)
    day = dt.date.fromisoformat(date)
    meter = consume(building, day)
    assert sum(DayTotal.objects.filter(meter=meter, date=day).values_list("energy", flat=True)) == kwh * 1_000_000
    assert cost_of(meter, day) == [Decimal(cost)]
    # Hour by hour it is the same.
    begin = building.midnight(day)
    hours = usage(
        Subject.of_meter(meter), begin, begin + kwh * dt.timedelta(hours=1), By.HOUR, now=begin + 99 * MINUTE * 60
    )
    assert [hour.energy for hour in hours] == [1_000_000] * kwh
    assert sum((hour.costs[0].total for hour in hours), Decimal(0)) == Decimal(cost)


def test_a_window_over_midnight_and_a_change_of_tariff_at_midnight(building):
    """Friday 20 November and Saturday; the night that begins on Friday holds until Saturday 06:00."""
    TariffFactory(building=building, rates={"Night": ("0.10", "Mon-Fri 22:00-06:00"), "Day": ("0.30", "")})
    TariffFactory(building=building, valid_from=dt.date(2026, 11, 21), rates={"Night": ("1", "Mon-Fri 22:00-06:00"),
                                                                             "Day": ("3", "")})  # fmt: skip
    meter = consume(building, dt.date(2026, 11, 20), days=2)
    # Friday: 00-06 and 22-24 at night. Saturday: 00-06 at night, at the new price.
    assert cost_of(meter, dt.date(2026, 11, 20), days=2) == [Decimal("5.60"), Decimal("60.00")]


def test_tax_and_standing_charge(building, apartment, meter):
    TariffFactory(building=building, rates={"All": ("0.25", "")}, standing_charge="0.30", tax_rate="19")
    day = dt.date(2026, 11, 20)
    consume(building, day, meter=meter)
    begin = building.midnight(day)
    (found,) = usage(
        Subject.of_apartment(apartment), begin, begin + dt.timedelta(days=1), now=begin + dt.timedelta(days=4)
    )
    (cost,) = found.costs
    assert (cost.currency, cost.energy, cost.standing) == ("EUR", 6, Decimal("0.30"))
    assert cost.tax == Decimal("1.197")
    assert cost.total == Decimal("7.497")


class TestAChange:
    def test_another_price_for_the_same_hours_holds_at_once(self, building):
        tariff = TariffFactory(building=building, rates=DAY_AND_NIGHT)
        meter = consume(building, dt.date(2026, 11, 20))
        tariff.rates.filter(name="Day").update(price="0.50")
        assert cost_of(meter, dt.date(2026, 11, 20)) == [Decimal("9.60")]

    def test_other_hours_hold_once_the_days_are_summed_by_them(self, building):
        meter = consume(building, dt.date(2026, 11, 20))
        TariffFactory(building=building, rates=DAY_AND_NIGHT)
        begin = building.midnight(dt.date(2026, 11, 20))
        (found,) = usage(Subject.of_meter(meter), begin, begin + dt.timedelta(days=1), now=begin + dt.timedelta(days=4))
        assert (found.energy, found.unpriced, found.costs) == (24_000_000, 24_000_000, [])
        assert sum(apply_tariffs()) > 0
        assert cost_of(meter, dt.date(2026, 11, 20)) == [Decimal("8.00")]
        assert sum(apply_tariffs()) == 0

    def test_days_before_it_are_left_alone(self, building):
        meter = consume(building, dt.date(2026, 11, 19), days=2)
        TariffFactory(building=building, valid_from=dt.date(2026, 11, 20), rates=DAY_AND_NIGHT)
        sum(apply_tariffs())
        assert DayTotal.objects.filter(meter=meter, date=dt.date(2026, 11, 19)).count() == 1
        assert DayTotal.objects.filter(meter=meter, date=dt.date(2026, 11, 20)).count() == 2

    def test_energy_whose_quarter_hours_are_erased_stays_without_a_price(self, building):
        meter = consume(building, dt.date(2026, 11, 20))
        Load.objects.filter(meter=meter).delete()
        TariffFactory(building=building, rates=DAY_AND_NIGHT)
        begin = building.midnight(dt.date(2026, 11, 20))
        sum(apply_tariffs())
        (found,) = usage(Subject.of_meter(meter), begin, begin + dt.timedelta(days=1), now=begin + dt.timedelta(days=4))
        assert (found.energy, found.unpriced) == (24_000_000, 24_000_000)

    def test_withdrawing_one_lets_the_one_before_hold_on(self, building):
        TariffFactory(building=building, rates={"All": ("0.10", "")})
        wrong = TariffFactory(building=building, valid_from=dt.date(2026, 11, 1), rates=DAY_AND_NIGHT)
        meter = consume(building, dt.date(2026, 11, 20))
        withdraw(wrong)
        sum(apply_tariffs())
        assert cost_of(meter, dt.date(2026, 11, 20)) == [Decimal("2.40")]
        assert Tariff.objects.get(pk=wrong.pk).rates.count() == 2
