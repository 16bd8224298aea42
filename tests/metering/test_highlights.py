"""What the dashboard says about a day: what is usual at this hour, last night's base load, today's peak."""

import datetime as dt

import pytest

from accounts.access import Residence
from metering.highlights import highlights
from metering.loads import derive_new
from metering.models import Load, Reading
from metering.models.load import QUARTER, quarter_of
from tests.factories import MeterFactory, ReadingFactory, TenancyFactory

pytestmark = pytest.mark.django_db
# 12:20 in Berlin.
NOW = dt.datetime(2026, 11, 25, 11, 20, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2026, 11, 24, 23, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def residence(meter, tenancy):
    return Residence.of(tenancy)


def load(meter, begin, mean, peak=None):
    Load.objects.create(
        meter=meter, quarter=quarter_of(begin), energy=mean * 250, exported=0, bridged=0, covered=900, samples=90,
        power_min=mean, power_mean=mean, power_max=peak or mean,
    )  # fmt: skip


def noons(meter, days, power=lambda day: 100 * day):
    """The four quarter hours from 12:00 on, of as many days before this one."""
    for day in range(1, days + 1):
        for number in range(4):
            load(meter, MIDNIGHT - day * DAY + 12 * 4 * QUARTER + number * QUARTER, power(day))


class TestUsual:
    def test_all_but_the_outer_tenths_of_this_hour(self, residence, meter):
        noons(meter, 10)
        # Another hour says nothing, nor does today.
        load(meter, MIDNIGHT - DAY + 13 * 4 * QUARTER, 9000)
        load(meter, MIDNIGHT + 12 * 4 * QUARTER, 9000)
        assert highlights(residence, NOW).usual == (200, 900)

    def test_less_than_a_week_is_too_little(self, residence, meter):
        noons(meter, 6)
        assert highlights(residence, NOW).usual is None

    def test_meters_of_one_apartment_add_up(self, residence, meter, apartment):
        noons(meter, 10, lambda day: 100)
        noons(MeterFactory(apartment=apartment, topic="meters/second"), 10, lambda day: 11)
        assert highlights(residence, NOW).usual == (111, 111)

    def test_a_quarter_hour_in_which_one_meter_is_silent_is_not_known(self, residence, meter, apartment):
        noons(meter, 10, lambda day: 400)
        second = MeterFactory(apartment=apartment, topic="meters/second")
        noons(second, 10, lambda day: 100)
        for day in (3, 4, 5):
            silent = quarter_of(MIDNIGHT - day * DAY + 12 * 4 * QUARTER)
            Load.objects.filter(meter=meter, quarter__range=(silent, silent + 3)).delete()
        assert highlights(residence, NOW).usual == (500, 500)
        silent = quarter_of(MIDNIGHT - 6 * DAY + 12 * 4 * QUARTER)
        Load.objects.filter(meter=second, quarter=silent).delete()
        assert highlights(residence, NOW).usual is None

    def test_it_is_the_hour_on_the_clock_also_where_the_clock_was_changed(self, residence, meter, time_machine):
        """Until 25 October 12:00 in Berlin was 10:00 UTC."""
        time_machine.move_to(later := dt.datetime(2026, 11, 1, 11, 20, tzinfo=dt.UTC))
        for day in range(1, 15):
            date = dt.datetime(2026, 11, 1, tzinfo=dt.UTC) - day * DAY
            for number in range(4):
                load(meter, date + dt.timedelta(hours=11 if day < 8 else 10) + number * QUARTER, 100)
                load(meter, date + dt.timedelta(hours=10 if day < 8 else 11) + number * QUARTER, 9000)
        assert highlights(residence, later).usual == (100, 100)

    def test_the_household_before_is_nobodys_usual(self, meter, tenancy):
        noons(meter, 10)
        tenancy.moved_in = dt.date(2026, 11, 20)
        tenancy.save()
        assert highlights(Residence.of(tenancy), NOW).usual is None


class TestBaseLoad:
    def night(self, meter, begin, number=24):
        for index in range(number):
            load(meter, begin + index * QUARTER, 80 + index)

    def test_the_lowest_quarter_hour_between_midnight_and_six(self, residence, meter):
        load(meter, MIDNIGHT - QUARTER, 10)
        self.night(meter, MIDNIGHT)
        load(meter, MIDNIGHT + 24 * QUARTER, 10)
        assert highlights(residence, NOW).base_load == 80

    def test_until_six_it_is_that_of_the_night_before(self, residence, meter):
        self.night(meter, MIDNIGHT - DAY)
        load(meter, MIDNIGHT, 10)
        assert highlights(residence, MIDNIGHT + 5 * 4 * QUARTER).base_load == 80

    def test_a_quarter_hour_in_which_one_of_two_meters_is_silent_does_not_count(self, residence, meter, apartment):
        second = MeterFactory(apartment=apartment, topic="meters/second")
        steady = [(meter, 400, range(120, 160)), (second, 100, range(0))]
        Reading.objects.bulk_create(
            Reading(meter=each, taken_at=MIDNIGHT + dt.timedelta(minutes=minute), voltage=230, current=1, power=power)
            for each, power, silence in steady
            for minute in range(6 * 60)
            if minute not in silence
        )
        sum(derive_new())
        assert highlights(residence, NOW).base_load == 500

    def test_a_meter_that_was_replaced_counts_for_its_own_time(self, residence, meter, apartment):
        new = MeterFactory(apartment=apartment, topic="meters/new")
        third = MeterFactory(apartment=apartment, topic="meters/third")
        self.night(meter, MIDNIGHT, 10)
        self.night(new, MIDNIGHT + 10 * QUARTER, 14)
        self.night(third, MIDNIGHT)
        assert highlights(residence, NOW).base_load == 160

    def test_half_a_night_must_be_known(self, residence, meter):
        self.night(meter, MIDNIGHT, 11)
        assert highlights(residence, NOW).base_load is None


class TestPeak:
    def measure(self, meter, hours, power):
        return ReadingFactory(meter=meter, taken_at=MIDNIGHT + dt.timedelta(hours=hours), power=power)

    def test_the_highest_of_today(self, residence, meter):
        self.measure(meter, -1, 9000)
        highest = self.measure(meter, 3, 3000)
        self.measure(meter, 5, 2000)
        sum(derive_new())
        assert highlights(residence, NOW).peak == highest

    def test_also_where_nobody_has_derived_it_yet(self, residence, meter):
        self.measure(meter, 3, 3000)
        sum(derive_new())
        newest = self.measure(meter, 12, 3100)
        assert highlights(residence, NOW).peak == newest

    def test_without_any_load(self, residence, meter):
        assert highlights(residence, NOW).peak is None
        reading = self.measure(meter, 3, 3000)
        assert highlights(residence, NOW).peak == reading

    def test_a_neighbours_is_not_shown(self, residence, meter, neighbour_apartment):
        other = MeterFactory(apartment=neighbour_apartment, topic="meters/other")
        TenancyFactory(apartment=neighbour_apartment)
        self.measure(other, 3, 3000)
        sum(derive_new())
        assert highlights(residence, NOW).peak is None
