"""Energy from readings, by rules that hold whatever comes, in whatever order."""

import datetime as dt
import functools
import random
import zoneinfo
from itertools import pairwise

import pytest
import time_machine
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.demo.household import Household
from metering.derivation import windows_from
from metering.loads import derive_new, rebuild
from metering.models import DayTotal, Load, LoadProgress, Reading
from metering.models.load import quarter_of
from metering.retention import prune
from metering.tariffs import day_quarters
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
FIRST = quarter_of(START)
EVENING = START + 4 * 3600 * SECOND


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(START + dt.timedelta(hours=6), tick=False):
        yield


def readings(meter, *points, step=1.0):
    """Stores (seconds after START, power, register) in that order."""
    rows = []
    for point in points:
        seconds, power, *register = point
        rows.append(
            Reading(meter=meter, taken_at=START + seconds * SECOND, voltage=230.0, current=power / 230, power=power,
                    energy_total=register[0] if register else None)
        )  # fmt: skip
    Reading.objects.bulk_create(rows)


def derived():
    return sum(derive_new())


def loads(meter, name="energy"):
    """By the number of the quarter hour after START."""
    return {load.quarter - FIRST: getattr(load, name) for load in Load.objects.filter(meter=meter).order_by("quarter")}


def every(seconds, until, power, register=None):
    """Readings at regular times; the register goes on with the power from there."""
    for second in range(0, until + 1, seconds):
        yield (second, power) if register is None else (second, power, register + power * second / 3.6e6)


def test_power_is_integrated(meter):
    readings(meter, *every(10, 3600, 1000.0))
    derived()
    assert loads(meter) == {0: 250_000, 1: 250_000, 2: 250_000, 3: 250_000, 4: 0}
    assert loads(meter, "covered") == {0: 900, 1: 900, 2: 900, 3: 900, 4: 0}
    assert loads(meter, "samples") == {0: 90, 1: 90, 2: 90, 3: 90, 4: 1}


def test_by_trapezoid_and_cut_where_the_power_says(meter):
    """From 0 W to 3600 W within 60 s, half of them before the quarter hour: a quarter of the energy."""
    readings(meter, (870, 0.0), (930, 3600.0))
    derived()
    assert loads(meter) == {0: 7_500, 1: 22_500}
    assert loads(meter, "covered") == {0: 30, 1: 30}


def test_a_gap_longer_than_the_maximum_is_unknown(meter):
    readings(meter, (0, 1000.0), (300, 1000.0), (601, 1000.0), (602, 1000.0))
    derived()
    assert loads(meter) == {0: 83_611}
    assert loads(meter, "covered") == {0: 301}


def test_import_and_export_are_apart(meter):
    """From 1000 W in to 1000 W out: a triangle each."""
    readings(meter, (0, 1000.0), (100, -1000.0), (200, -1000.0))
    derived()
    assert loads(meter) == {0: 6_944}
    assert loads(meter, "exported") == {0: 6_944 + 27_778}


def test_the_register_wins(meter):
    """The power says 1000 W, the register counted half of that."""
    readings(meter, (0, 1000.0, 100.0), (300, 1000.0, 100.05), (600, 1000.0, 100.1))
    derived()
    assert loads(meter) == {0: 100_000}


def test_the_power_shapes_what_the_register_counted(meter):
    readings(meter, (870, 0.0, 7.0), (930, 3600.0, 7.004))
    derived()
    assert loads(meter) == {0: 1_000, 1: 3_000}


def test_what_the_register_counted_in_a_gap_is_bridged_not_covered(meter):
    readings(meter, (0, 1000.0, 50.0), (3600, 1000.0, 51.0))
    derived()
    assert loads(meter) == loads(meter, "bridged") | {4: 0}
    assert loads(meter) == {0: 250_000, 1: 250_000, 2: 250_000, 3: 250_000, 4: 0}
    assert set(loads(meter, "covered").values()) == {0}


@pytest.mark.parametrize("after", [0.0, 0.4, 89.9])
def test_a_register_that_was_reset_counts_nothing_by_itself(meter, after):
    readings(meter, (0, 600.0, 100.0), (60, 600.0, after), (120, 600.0, after + 0.02))
    derived()
    assert loads(meter) == {0: 10_000 + 20_000}


@pytest.mark.parametrize("modulus", [2**23 / 1000, 2**32 / 1000, 100_000.0])
def test_a_register_that_rolled_over(meter, modulus):
    readings(meter, (0, 600.0, modulus - 0.005), (60, 600.0, 0.005), (900, 600.0, 0.145))
    derived()
    # The minute by its power, the gap after it by the register.
    assert sum(loads(meter).values()) == 10_000 + 140_000


@pytest.mark.parametrize(
    "registers",
    [(5000.0, 5000.0017, 0.0, 5000.005), (500.0, 99_999.9, 500.003, 500.005), (500.0, 500.002, 3000.0, 3000.002)],
)
def test_a_register_that_jumps_is_no_spike(meter, registers):
    """After a restart it shows zero, a garbled message shows anything, a meter is exchanged for one that shows more."""
    readings(meter, *((10 * number, 600.0, register) for number, register in enumerate(registers)))
    derived()
    assert 5_000 - 1_700 <= sum(loads(meter).values()) <= 5_700


def test_a_register_of_whole_kilowatt_hours_may_go_on_by_one_at_once(meter):
    readings(meter, (0, 600.0, 100.0), (2, 600.0, 101.0), (4, 600.0, 101.0))
    derived()
    assert loads(meter) == {0: 1_000_000}


def test_a_reset_in_a_gap_is_unknown(meter):
    readings(meter, (0, 600.0, 100.0), (4000, 600.0, 3.0), (4060, 600.0, 3.01))
    derived()
    assert sum(loads(meter).values()) == 10_000


def test_a_dip_is_neither_negative_nor_counted_twice(meter):
    readings(meter, (0, 0.0, 100.0), (10, 0.0, 99.99), (20, 0.0, 100.0), (30, 0.0, 99.99), (40, 0.0, 100.01))
    derived()
    assert loads(meter) == {0: 10_000}


def test_a_dip_at_the_quarter_hour(meter):
    """What the register had shown is known from the quarter hour before."""
    readings(meter, (890, 0.0, 100.0), (895, 0.0, 99.99))
    derived()
    readings(meter, (905, 0.0, 99.99), (910, 0.0, 100.0), (2000, 0.0, 100.01))
    derived()
    assert sum(loads(meter).values()) == 10_000
    assert {0: 100.0}.items() <= loads(meter, "register").items()


def test_readings_without_the_register_in_between(meter):
    readings(meter, (0, 500.0, 10.0), (30, 900.0), (60, 500.0, 10.01))
    derived()
    assert loads(meter) == {0: 10_000}


def test_another_meter_of_the_same_apartment_is_not_compared(meter, apartment):
    other = MeterFactory(apartment=apartment, topic="other")
    readings(meter, (0, 100.0, 5000.0), (60, 100.0, 5000.01))
    readings(other, (61, 100.0, 3.0), (120, 100.0, 3.01))
    derived()
    assert (loads(meter), loads(other)) == ({0: 10_000}, {0: 10_000})


def test_nothing_new_is_nothing_to_do(meter):
    readings(meter, *every(10, 60, 100.0))
    assert derived() > 0
    assert derived() == 0


def snapshot():
    days = DayTotal.objects.order_by("meter", "date").values_list("meter", "date", "energy", "exported", "covered")
    return list(Load.objects.order_by("meter", "quarter").values()), list(days)


points = st.lists(
    st.tuples(
        st.integers(0, 7200),
        st.integers(-3000, 8000).map(float),
        st.one_of(st.none(), st.integers(0, 50_000).map(lambda wh: wh / 1000)),
    ),
    max_size=40,
    unique_by=lambda point: point[0],
)


def forget_all():
    for model in (Reading, Load, DayTotal, LoadProgress):
        model.objects.all().delete()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=points, seed=st.integers())
def test_the_order_in_which_they_come_says_nothing(meter, points, seed):
    forget_all()
    readings(meter, *sorted(points))
    derived()
    at_once = snapshot()
    assert all(row["energy"] >= 0 and row["exported"] >= 0 for row in at_once[0])
    assert all(0 <= row["covered"] <= 900 for row in at_once[0])
    forget_all()
    shuffled = random.Random(seed).sample(points, len(points))
    for start in range(0, len(shuffled), 7):
        readings(meter, *shuffled[start : start + 7])
        derived()
    assert snapshot() == at_once


@pytest.mark.parametrize(
    ("zone", "date", "quarters"),
    [("Europe/Berlin", "2026-03-29", 92), ("Europe/Berlin", "2026-10-25", 100), ("Europe/Berlin", "2026-11-20", 96),
     ("Asia/Kathmandu", "2026-11-20", 96), ("Australia/Lord_Howe", "2026-04-05", 98),
     ("Asia/Kolkata", "2026-11-20", 96),     ("Africa/Cairo", "2026-04-24", 92)],
)  # fmt: skip
def test_days_are_those_of_the_building(zone, date, quarters):
    building = BuildingFactory(timezone=zone)
    meter = MeterFactory(apartment=ApartmentFactory(building=building))
    day = dt.date.fromisoformat(date)
    begin, end = building.midnight(day), building.midnight(day + dt.timedelta(days=1))
    assert day_quarters(building, day) == (quarter_of(begin), quarter_of(end))
    assert quarter_of(end) - quarter_of(begin) == quarters
    seconds = int((begin - START).total_seconds())
    length = int((end - begin).total_seconds())
    readings(meter, *((seconds + second, 1000.0) for second in range(-3600, length + 3601, 300)))
    with time_machine.travel(end + dt.timedelta(hours=2), tick=False):
        derived()
    total = DayTotal.objects.get(meter=meter, date=day)
    assert (total.energy, total.covered) == (length * 1_000_000 // 3600, length)
    assert sum(DayTotal.objects.values_list("energy", flat=True)) == sum(Load.objects.values_list("energy", flat=True))


def test_what_was_derived_stays_when_its_readings_are_gone(meter):
    readings(meter, *every(10, 3600, 1000.0))
    derived()
    before = snapshot()
    with time_machine.travel(START + dt.timedelta(days=8), tick=False):
        derived()
        sum(prune(START + dt.timedelta(days=1), lambda _: None))
        # Those of the quarter hour in which they ended, and of the one before.
        assert Reading.objects.count() == 91
        readings(meter, (1805, 8000.0), (10_000_0, 5.0))
        derived()
        assert snapshot()[0][:4] == before[0][:4]
        assert snapshot()[1][0] == before[1][0]


def test_a_reading_stays_until_its_energy_is_derived(meter):
    readings(meter, *every(10, 3600, 1000.0))
    later = START + dt.timedelta(days=1)
    assert sum(prune(later, lambda _: None)) == 0
    derived()
    assert sum(prune(later, lambda _: None)) == 361 - 91


def test_a_large_house_is_derived_in_several_passes(meter, monkeypatch):
    others = [MeterFactory(apartment=ApartmentFactory(building=meter.building)) for _ in range(4)]
    for one in (meter, *others):
        readings(one, (0, 3600.0), (60, 3600.0))
    asked = []
    monkeypatch.setattr("metering.loads.METERS_IN_A_PASS", 2)
    monkeypatch.setattr("metering.loads.windows_from", lambda since: asked.append(len(since)) or windows_from(since))
    derived()
    assert asked == [2, 2, 1]
    assert [loads(one) for one in (meter, *others)] == [{0: 60_000}] * 5


def test_two_at_once_leave_nothing_out(meter):
    """Whoever is done last may have written what was read first."""
    readings(meter, (0, 1000.0), (60, 1000.0))
    slow = derive_new()
    next(slow)
    readings(meter, (120, 1000.0))
    derived()
    list(slow)
    assert LoadProgress.objects.get().derived_to == 0
    derived()
    assert loads(meter) == {0: 33_333}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_reading_that_is_written_while_others_are_derived_is_not_left_out(meter, monkeypatch):
    """PostgreSQL hands out numbers before it commits: the one below may appear after the one above was seen."""
    monkeypatch.setattr("metering.loads.LONGEST_WAIT", 0.1)
    slow = connection.copy()
    with slow.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)"
            " VALUES (%s, %s, 230, 4, 920, '')",
            [meter.pk, START],
        )
        readings(meter, (60, 920.0))
        assert derived() == 0
        assert not LoadProgress.objects.filter(derived_to__gt=0).exists()
        cursor.execute("COMMIT")
    slow.close()
    assert derived() > 0
    assert loads(meter) == {0: 15_333}


def stop_soon(slow):
    """With one row more than it had written."""
    next(slow)
    next(slow)
    slow.close()


class TestRebuild:
    def test_yields_the_same(self, meter):
        readings(meter, *every(10, 3600, 1000.0, 50.0), (9000, 10.0, 52.0))
        derived()
        before = snapshot()
        Load.objects.update(energy=1)
        DayTotal.objects.update(covered=2)
        sum(rebuild())
        assert snapshot() == before

    @pytest.mark.parametrize("end", [list, stop_soon], ids=["to its end", "stopped"])
    @pytest.mark.parametrize("registers", [(None, None, None), (1.0, 2.0, 4.0)])
    def test_what_comes_meanwhile_is_not_lost(self, meter, registers, end, monkeypatch):
        """The service goes on while somebody rebuilds, who writes what was read before."""
        monkeypatch.setattr("metering.loads.ROWS_AT_ONCE", 1)
        first, second, third = registers
        readings(meter, (0, 1000.0, first), (60, 1000.0, first), (900, 1000.0, second), (960, 1000.0, second))
        derived()
        slow = rebuild()
        next(slow)
        readings(meter, (990, 1000.0, third), (2700, 1000.0, third))
        derived()
        end(slow)
        derived()
        after = snapshot()
        sum(rebuild())
        assert after == snapshot()

    def test_since_an_instant(self, meter):
        readings(meter, *every(10, 3600, 1000.0))
        derived()
        Load.objects.update(energy=1)
        sum(rebuild(START + dt.timedelta(minutes=30)))
        assert loads(meter) == {0: 1, 1: 1, 2: 250_000, 3: 250_000, 4: 0}

    def test_what_readings_are_gone_of_stays(self, meter):
        """Also where they are to be kept for longer now: nobody can tell them from ones that never came."""
        readings(meter, *every(10, 3600, 1000.0))
        derived()
        before = snapshot()
        sum(prune(START + dt.timedelta(hours=1), lambda _: None))
        sum(rebuild())
        assert snapshot() == before


@functools.cache
def evening(name):
    """The power of a made-up household in each second of two evening hours."""
    household = Household(name, zoneinfo.ZoneInfo("Europe/Berlin"))
    return [household.sample(EVENING + second * SECOND).power for second in range(2 * 3600 + 1)]


def error_of(name, seconds):
    """How far off its energy is, in parts of it, where its power is read every so many seconds."""
    powers, meter = evening(name), MeterFactory()
    exact = sum((one + other) / 2 for one, other in pairwise(powers)) / 3.6
    after = (EVENING - START).seconds
    readings(meter, *((after + second, powers[second]) for second in range(0, len(powers), seconds)))
    derived()
    return abs(sum(loads(meter).values()) / exact - 1)


@pytest.mark.parametrize("name", ["house/904", "house/1002"])
def test_how_far_integrated_power_is_from_the_register(name):
    assert error_of(name, 2) < 0.002


@pytest.mark.parametrize(
    ("name", "limit"), [("house/203", 0.011), ("house/1104", 0.011), ("house/204", 0.07), ("house/904", 0.07)]
)
def test_the_error_grows_with_the_time_between_two_readings(name, limit):
    """Most where an oven switches all the time: the last two bake."""
    assert error_of(name, 10) < limit
