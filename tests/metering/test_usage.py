"""Energy and money between two instants, however it is asked."""

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.access import Residence
from metering.house.usage import usage_by_apartment
from metering.loads import derive_new
from metering.models import DayTotal, Load, Reading
from metering.models.load import quarter_of, quarter_start
from metering.periods import By, Period, cut
from metering.usage import Subject, combine, expected_seconds, usage
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory, TariffFactory, TenancyFactory
from tests.measured import kwh, local, use

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR
MINUTE = dt.timedelta(minutes=1)
NOW = dt.datetime(2026, 11, 25, 12, 7, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


class TestPeriods:
    @pytest.mark.parametrize(
        ("zone", "begin", "end", "by", "lengths"),
        [
            ("Europe/Berlin", "2026-10-25 00:00", "2026-10-26 00:00", By.HOUR, [1] * 25),
            ("Europe/Berlin", "2026-03-28 00:00", "2026-03-31 00:00", By.DAY, [24, 23, 24]),
            ("Australia/Lord_Howe", "2026-04-05 00:00", "2026-04-05 04:00", By.HOUR, [1, 1.5, 1, 1]),
            ("Asia/Kathmandu", "2026-11-20 00:00", "2026-11-20 02:00", By.HOUR, [1, 1]),
            ("Europe/Berlin", "2026-11-18 12:00", "2026-11-25 06:00", By.WEEK, [4.5 * 24, 54]),
            ("Europe/Berlin", "2026-10-15 00:00", "2026-12-02 00:00", By.MONTH, [17 * 24 + 1, 30 * 24, 24]),
            ("Europe/Berlin", "2025-12-31 00:00", "2026-01-02 00:00", By.YEAR, [24, 24]),
            ("Europe/Berlin", "2026-11-20 00:15", "2026-11-22 00:00", By.ALL, [47.75]),
        ],
    )
    def test_are_local(self, zone, begin, end, by, lengths):
        building = BuildingFactory(timezone=zone)
        found = list(cut(building, local(building, begin), local(building, end), by))
        assert [period.seconds / 3600 for period in found] == lengths
        assert [before.end for before in found[:-1]] == [after.begin for after in found[1:]]

    def test_a_meter_that_is_replaced_is_waited_for_while_it_hangs(self):
        begin = NOW
        old = MeterFactory(installed_at=NOW - DAY, removed_at=NOW + HOUR)
        new = MeterFactory(installed_at=NOW + 2 * HOUR, topic="new")
        # Also for the hour in which none hung there.
        assert expected_seconds([old, new], Period(begin, begin + 4 * HOUR)) == 4 * 3600
        second = MeterFactory(installed_at=NOW, topic="second")
        assert expected_seconds([old, new, second], Period(begin, begin + 4 * HOUR)) == 7 * 3600


class TestHowItIsAsked:
    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(st.integers(0, 4 * 96 * 15), st.integers(-2000, 6000)), max_size=60, unique_by=lambda p: p[0]
        ),
        st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]),
        st.sampled_from([dt.date(2026, 3, 28), dt.date(2026, 10, 24), dt.date(2026, 10, 3), dt.date(2026, 10, 30)]),
    )
    def test_the_parts_are_the_whole(self, points, zone, date):
        building = BuildingFactory(timezone=zone)
        TariffFactory(building=building, rates={"Day": ("0.4", "06:00-22:15"), "Night": ("0.2", "")}, tax_rate="7.7",
                      standing_charge="0.1")  # fmt: skip
        apartment = ApartmentFactory(building=building)
        meter = MeterFactory(apartment=apartment)
        begin, end = building.midnight(date), building.midnight(date + 4 * dt.timedelta(days=1))
        Reading.objects.bulk_create(
            Reading(meter=meter, taken_at=begin + minute * MINUTE, voltage=230, current=1, power=power)
            for minute, power in points
        )
        with time_machine.travel(end + HOUR, tick=False):
            sum(derive_new())
            sum(derive_new())
        subject = Subject.of_apartment(apartment)
        ways = [usage(subject, begin, end, by, now=NOW) for by in By]
        for name in ("energy", "exported", "bridged", "covered", "expected", "unpriced"):
            assert len({sum(getattr(each, name) for each in way) for way in ways}) == 1, name
        totals = {sum((c.total for each in way for c in each.costs), Decimal(0)) for way in ways}
        assert len(totals) == 1
        stored = Load.objects.filter(meter=meter, quarter__gte=quarter_of(begin), quarter__lt=quarter_of(end))
        assert ways[0][0].energy == sum(stored.values_list("energy", flat=True))
        many = usage_by_apartment(building, date, date + 4 * dt.timedelta(days=1), By.DAY, now=NOW)[apartment.pk]
        by_day = usage(subject, begin, end, By.DAY, now=NOW)
        assert kwh(many) == kwh(by_day)
        assert [each.costs for each in many] == [each.costs for each in by_day]
        assert combine(many).energy == ways[0][0].energy
        DayTotal.objects.all().delete()
        Load.objects.all().delete()
        Reading.objects.all().delete()

    def test_between_two_quarter_hours(self, building, meter):
        begin = building.midnight(dt.date(2026, 11, 20))
        use(meter, begin, begin + 3 * DAY)
        subject = Subject.of_meter(meter)
        assert kwh(usage(subject, begin + HOUR / 2, begin + HOUR)) == [0.5]
        assert kwh(usage(subject, begin + 18 * HOUR, begin + 2 * DAY + 6 * HOUR, By.DAY)) == [6, 24, 6]
        assert kwh(usage(subject, begin, begin)) == []

    def test_the_building_is_the_sum_of_its_apartments(self, building, meter, neighbour_apartment):
        TariffFactory(building=building, standing_charge="1")
        other = MeterFactory(apartment=neighbour_apartment)
        main = MeterFactory(apartment=None, building=building, topic="main")
        begin = building.midnight(dt.date(2026, 11, 20))
        for each, power in ((meter, 1000.0), (other, 500.0), (main, 1600.0)):
            use(each, begin, begin + DAY, power)
        (found,) = usage(Subject.of_building(building), begin, begin + DAY)
        assert found.energy == 36_000_000
        assert found.costs[0].standing == 2
        assert found.expected == 2 * 86400
        (alone,) = usage(Subject.of_meter(main), begin, begin + DAY)
        assert (alone.energy, alone.costs[0].standing) == (38_400_000, 0)


class TestTheNewestQuarterHour:
    def test_is_asked_of_the_readings(self, meter, building):
        """Nobody has derived the last seven minutes yet."""
        use(meter, NOW - 2 * HOUR, NOW - 7 * MINUTE, every=MINUTE)
        stored = Load.objects.filter(meter=meter).count()
        Reading.objects.bulk_create(
            Reading(meter=meter, taken_at=NOW - minute * MINUTE, voltage=230, current=1, power=1000.0)
            for minute in range(7)
        )
        begin = building.midnight(dt.date(2026, 11, 25))
        (found,) = usage(Subject.of_meter(meter), begin, begin + DAY, now=NOW)
        assert (found.energy, found.covered) == (2_000_000, 7200)
        assert Load.objects.filter(meter=meter).count() == stored
        sum(derive_new())
        assert usage(Subject.of_meter(meter), begin, begin + DAY, now=NOW) == [found]

    def test_what_is_older_than_an_hour_waits_for_housekeep(self, meter, building):
        Reading.objects.bulk_create(
            Reading(meter=meter, taken_at=NOW - minute * MINUTE, voltage=230, current=1, power=1000.0)
            for minute in range(180)
        )
        begin = building.midnight(dt.date(2026, 11, 25))
        (found,) = usage(Subject.of_meter(meter), begin, begin + DAY, now=NOW)
        assert found.covered == (67 * MINUTE).total_seconds()

    def test_just_after_midnight_yesterday_has_it_too(self, meter, building):
        midnight = building.midnight(dt.date(2026, 11, 25))
        use(meter, midnight - DAY, midnight - 5 * MINUTE, every=MINUTE)
        Reading.objects.bulk_create(
            Reading(meter=meter, taken_at=midnight - minute * MINUTE, voltage=230, current=1, power=1000.0)
            for minute in range(5)
        )
        found = usage(Subject.of_meter(meter), midnight - DAY, midnight + DAY, By.DAY, now=midnight + MINUTE)
        assert kwh(found) == [24, 0]
        assert found[0].is_complete


class TestAMeterWhoseClockIsAhead:
    """What lies in the future does not count yet."""

    @pytest.fixture
    def ahead(self, building, meter):
        TariffFactory(building=building, rates={"Day": ("0.4", "06:00-14:00"), "Night": ("0.2", "")})
        begin = building.midnight(dt.date(2026, 11, 24))
        use(meter, begin, NOW + 14 * HOUR)
        return meter

    @pytest.mark.parametrize("by", [By.DAY, By.MONTH])
    def test_it_is_the_same_for_resident_and_manager(self, building, apartment, ahead, by):
        MeterFactory(apartment=apartment, topic="punctual")
        first, last = dt.date(2026, 11, 23), dt.date(2026, 12, 1)
        assert DayTotal.objects.filter(date=dt.date(2026, 11, 26)).exists()
        many = usage_by_apartment(building, first, last, by)[apartment.pk]
        own = usage(Subject.of_apartment(apartment), building.midnight(first), building.midnight(last), by)
        assert kwh(many) == kwh(own)
        assert [each.costs for each in many] == [each.costs for each in own]
        assert [each.covered for each in many] == [each.covered for each in own]
        # Until 13:15 in Berlin, of the quarter hour that has begun all.
        assert sum(kwh(own)) == 24 + 13.25

    def test_what_is_not_derived_yet_counts_beside_one_reading_from_ahead(self, building, meter):
        midnight = building.midnight(dt.date(2026, 11, 25))
        begin = quarter_start(quarter_of(NOW)) - HOUR / 2
        use(meter, midnight, begin)
        Reading.objects.create(meter=meter, taken_at=NOW + 12 * HOUR, voltage=230, current=1, power=1000.0)
        sum(derive_new())
        Reading.objects.bulk_create(
            Reading(meter=meter, taken_at=begin + number * MINUTE, voltage=230, current=1, power=1000.0)
            for number in range(1, 31)
        )
        (found,) = usage(Subject.of_meter(meter), midnight, midnight + DAY, By.DAY)
        assert found.energy == 13_000_000

    def test_a_year_of_the_others_is_counted_by_months(self, building, ahead, neighbour_apartment):
        begin = building.midnight(dt.date(2026, 10, 30))
        use(MeterFactory(apartment=neighbour_apartment), begin, begin + 3 * DAY)
        found = usage_by_apartment(building, dt.date(2026, 1, 1), dt.date(2027, 1, 1), By.MONTH)
        assert kwh(found[neighbour_apartment.pk])[9:11] == [48, 24]
        assert kwh(found[ahead.apartment_id])[9:11] == [0, 37.25]


class TestOnesOwnTime:
    def test_is_cut_at_moving_in_and_out(self, building, apartment, meter):
        TariffFactory(building=building, standing_charge="1")
        begin = building.midnight(dt.date(2026, 11, 16))
        use(meter, begin, begin + 8 * DAY)
        tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 11, 18), moved_out=dt.date(2026, 11, 20))
        subject = Subject.of_residence(Residence.of(tenancy))
        found = usage(subject, begin, begin + 8 * DAY, By.DAY)
        assert kwh(found) == [0, 0, 24, 24, 0, 0, 0, 0]
        assert [each.expected for each in found] == [0, 0, 86400, 86400, 0, 0, 0, 0]
        assert sum(cost.standing for each in found for cost in each.costs) == 2
        assert kwh(usage(subject, begin, begin + 8 * DAY, By.HOUR)).count(1.0) == 48
        assert kwh(usage(subject, begin, begin + 8 * DAY, By.MONTH)) == [48]

    def test_two_times_in_one_apartment(self, building, apartment, meter):
        begin = building.midnight(dt.date(2026, 11, 16))
        use(meter, begin, begin + 6 * DAY)
        first = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 11, 1), moved_out=dt.date(2026, 11, 17))
        again = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 11, 20))
        subject = Subject.of_residence(Residence.of(again, first))
        assert kwh(usage(subject, begin, begin + 6 * DAY, By.DAY)) == [24, 0, 0, 0, 24, 24]


class TestCompleteness:
    def test_a_silent_hour_is_unknown_and_said_to_be(self, building, meter):
        begin = building.midnight(dt.date(2026, 11, 20))
        use(meter, begin, begin + 12 * HOUR)
        use(meter, begin + 13 * HOUR, begin + DAY)
        (found,) = usage(Subject.of_meter(meter), begin, begin + DAY)
        assert (found.energy, found.covered, found.expected) == (23_000_000, 23 * 3600, 24 * 3600)
        assert not found.is_complete
        assert round(found.known, 3) == 0.958

    def test_time_to_come_is_not_missed(self, building, meter):
        begin = building.midnight(dt.date(2026, 11, 25))
        use(meter, begin, NOW)
        (found,) = usage(Subject.of_meter(meter), begin, begin + 30 * DAY)
        # But for the last five minutes, of which nobody can tell yet.
        assert found.expected == (NOW - begin).total_seconds() - 300
        assert found.is_complete

    def test_time_before_the_only_meter_was_there_was_not_measured(self, building, apartment, meter):
        """The household used electricity all the same, which its month does not show."""
        first, begin = building.midnight(dt.date(2026, 11, 1)), building.midnight(dt.date(2026, 11, 16))
        meter.installed_at = begin
        meter.save()
        use(meter, begin, NOW)
        now = building.midnight(dt.date(2026, 11, 25))
        (found,) = usage(Subject.of_apartment(apartment), first, now, now=now + DAY)
        assert found.known == 9 / 24
        (many,) = usage_by_apartment(building, dt.date(2026, 11, 1), dt.date(2026, 11, 25), now=now + DAY)[apartment.pk]
        assert many.known == 9 / 24

    def test_a_meter_that_was_never_heard_is_not_waited_for_where_another_is(self, building, apartment, meter):
        MeterFactory(apartment=apartment, topic="elsewhere")
        begin = building.midnight(dt.date(2026, 11, 20))
        use(meter, begin, begin + DAY)
        (found,) = usage(Subject.of_apartment(apartment), begin, begin + DAY)
        assert found.known == 1
        (many,) = usage_by_apartment(building, dt.date(2026, 11, 20), dt.date(2026, 11, 21))[apartment.pk]
        assert many.known == 1
