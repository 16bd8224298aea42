"""Energy and money between two instants, however it is asked."""

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.access import Residence
from metering.house.usage import usage_by_apartment
from metering.loads import derive_new
from metering.models import DayTotal, Load, Reading
from metering.models.load import quarter_of, quarter_start
from metering.overview import overview
from metering.periods import By, Period, cut
from metering.usage import Subject, combine, expected_seconds, usage
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory, TariffFactory, TenancyFactory

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR
MINUTE = dt.timedelta(minutes=1)
NOW = dt.datetime(2026, 11, 25, 12, 7, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


def use(meter, begin, end, power=1000.0, every=5 * MINUTE):
    """Readings from begin to end, derived as if they had come in time."""
    rows, instant = [], begin
    while instant <= end:
        rows.append(Reading(meter=meter, taken_at=instant, voltage=230, current=power / 230, power=power))
        instant += every
    Reading.objects.bulk_create(rows, batch_size=5000)
    with time_machine.travel(min(end + HOUR, NOW), tick=False):
        sum(derive_new())


def local(building, text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=building.zone).astimezone(dt.UTC)


def kwh(usages):
    return [each.energy / 1_000_000 for each in usages]


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


class TestOverview:
    @pytest.fixture
    def residence(self, apartment):
        return Residence.of(TenancyFactory(apartment=apartment, moved_in=dt.date(2025, 1, 1)))

    def test_today_yesterday_month_and_how_it_will_end(self, building, meter, residence):
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

    def test_what_was_not_measured_counts_like_other_days(self, building, meter, residence):
        """Ten silent days and a silent half one are in no sum so far; the month will have them all the same."""
        TariffFactory(building=building, rates={"All": ("0.5", "")}, standing_charge="1", tax_rate="20")
        begin = building.midnight(dt.date(2026, 11, 1))
        use(meter, begin + 10 * DAY + 12 * HOUR, NOW)
        found = overview(residence, NOW)
        assert found.projection.energy == 30 * 24_000_000
        assert found.projection.unmeasured == 10.5 * 86400
        (cost,) = found.projection.costs
        assert [round(part, 6) for part in (cost.energy, cost.standing, cost.tax)] == [360, 30, 78]

    def test_the_page_says_so(self, as_resident, building, meter):
        use(meter, building.midnight(dt.date(2026, 11, 11)), NOW)
        assert "What was not measured, 10 days up to yesterday, counts like" in as_resident.get("/").content.decode()

    def test_it_counts_so_where_today_was_more_already(self, building, meter, residence):
        begin = building.midnight(dt.date(2026, 11, 1))
        use(meter, begin + 5 * DAY, begin + 29 * DAY, power=10.0)
        use(meter, begin + 29 * DAY + 5 * MINUTE, begin + 30 * DAY, power=9000.0)
        found = overview(residence, begin + 30 * DAY - MINUTE)
        assert found.projection.energy == found.month.energy + 5 * 240_000

    def test_what_the_register_counted_in_silence_does_not_count_twice(self, building, meter, residence):
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

    def test_a_projection_needs_a_week(self, building, meter, residence):
        use(meter, building.midnight(dt.date(2026, 11, 19)), NOW)
        assert overview(residence, NOW).projection is None

    def test_a_day_that_used_more_already_counts_as_it_is(self, building, meter, residence):
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

    def test_another_price_lately_is_that_of_the_days_to_come(self, building, meter, residence):
        TariffFactory(building=building, rates={"All": ("0.2", "")})
        TariffFactory(building=building, valid_from=dt.date(2026, 11, 1), rates={"All": ("0.4", "")})
        use(meter, building.midnight(dt.date(2026, 10, 20)), NOW)
        (cost,) = overview(residence, NOW).projection.costs
        assert cost.total == pytest.approx(30 * 24 * Decimal("0.4"))
        lately = building.midnight(dt.date(2026, 11, 1)) + 12 * HOUR
        assert overview(residence, lately).projection.costs == []

    def test_it_ends_with_moving_out(self, building, meter, apartment):
        tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 1, 1), moved_out=dt.date(2026, 11, 28))
        use(meter, building.midnight(dt.date(2026, 11, 1)), NOW)
        found = overview(Residence.of(tenancy), NOW).projection
        assert (found.remaining, found.energy) == (3, 27 * 24_000_000)

    def test_the_last_day_stays_when_its_quarter_hours_are_erased(self, building, meter, apartment):
        tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 1, 1), moved_out=dt.date(2026, 11, 20))
        use(meter, building.midnight(dt.date(2026, 11, 18)), building.midnight(dt.date(2026, 11, 21)))
        Load.objects.all().delete()
        assert overview(Residence.of(tenancy), NOW).today.energy == 24_000_000

    def test_the_same_span_a_year_ago(self, building, meter, residence):
        begin = building.midnight(dt.date(2025, 11, 1))
        use(meter, begin, begin + 30 * DAY)
        found = overview(residence, NOW)
        assert found.year_ago.period == Period(begin, dt.datetime(2025, 11, 25, 12, 7, tzinfo=dt.UTC))
        assert found.year_ago.energy == (24 * 24 + 13.25) * 1_000_000

    def test_somebody_elses_year_ago_is_not_shown(self, building, meter, apartment):
        residence = Residence.of(TenancyFactory(apartment=apartment, moved_in=dt.date(2025, 11, 2)))
        begin = building.midnight(dt.date(2025, 11, 1))
        use(meter, begin, begin + 30 * DAY)
        assert overview(residence, NOW).year_ago is None

    def test_without_any_reading(self, meter, residence):
        found = overview(residence, NOW)
        assert (found.today.energy, found.yesterday, found.projection, found.year_ago) == (0, None, None, None)
        assert found.today.known == 0

    def test_on_the_first_day_in_the_apartment(self, building, meter, apartment):
        residence = Residence.of(TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 11, 25)))
        use(meter, building.midnight(dt.date(2026, 11, 20)), NOW)
        found = overview(residence, NOW)
        assert found.yesterday is None
        assert found.month.energy == found.today.energy

    def test_after_moving_out_it_is_of_the_last_day(self, building, meter, apartment):
        tenancy = TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 1, 1), moved_out=dt.date(2026, 11, 20))
        use(meter, building.midnight(dt.date(2026, 11, 18)), NOW)
        found = overview(Residence.of(tenancy), NOW)
        assert kwh([found.today, found.yesterday, found.month]) == [24, 24, 48]


def test_a_large_house_costs_a_resident_no_more(building, apartment, meter, tenancy):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as asked:
            overview(Residence.of(tenancy), NOW)
        return len(asked)

    use(meter, NOW - 3 * DAY, NOW)
    before = queries()
    for number in range(40):
        MeterFactory(apartment=ApartmentFactory(building=building, number=f"x{number}"))
    assert queries() == before
    assert quarter_start(quarter_of(NOW)) <= NOW
