"""Registers that only some readings show, and those that jump."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.loads import rebuild
from tests.factories import MeterFactory
from tests.metering.test_loads import START, derived, forget_all, loads, now, readings, snapshot  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
HOUR = 3600


def showing(every, until, power, each, first=100.0):
    """A reading every so many seconds, of which each so many seconds one shows the register, which agrees with it."""
    for second in range(0, until + 1, every):
        yield (second, power, first + power * second / 3.6e6) if second % each == 0 else (second, power)


@pytest.mark.parametrize("each", [60, 600, HOUR, 2 * HOUR])
def test_a_register_that_is_shown_now_and_then_is_shared_out_as_the_power_says(meter, each):
    readings(meter, *showing(10, 2 * HOUR, 1000.0, each))
    derived()
    assert loads(meter) == dict.fromkeys(range(8), 250_000) | {8: 0}
    assert loads(meter, "covered") == dict.fromkeys(range(8), 900) | {8: 0}


def test_the_register_wins_over_the_power_of_all_readings_since_it_was_shown_last(meter):
    """The power says 1 kW in the first half hour and 3 kW in the second; the register counted half of these 2 kWh."""
    powers = [(second, 1000.0 if second <= 1800 else 3000.0) for second in range(10, HOUR, 10)]
    readings(meter, (0, 1000.0, 50.0), *powers, (HOUR, 3000.0, 51.0))
    derived()
    counted = loads(meter)
    assert sum(counted.values()) == pytest.approx(1_000_000, abs=5)
    assert [counted[quarter] / 1000 for quarter in range(4)] == pytest.approx([125, 125, 375, 375], abs=2)


@pytest.mark.parametrize("last", [0, 2 * HOUR])
def test_what_comes_after_a_register_was_shown_last_is_known_by_power(meter, last):
    readings(meter, *(point if point[0] <= last else point[:2] for point in showing(10, 4 * HOUR, 1000.0, 10)))
    derived()
    assert loads(meter) == dict.fromkeys(range(16), 250_000) | {16: 0}


def test_half_of_what_the_power_says(meter):
    readings(meter, (0, 1000.0, 50.0), *((second, 1000.0) for second in range(10, HOUR, 10)), (HOUR, 1000.0, 50.5))
    derived()
    assert loads(meter) == dict.fromkeys(range(4), 125_000) | {4: 0}


def test_before_it_is_shown_again_power_speaks_and_then_the_register(meter):
    readings(meter, *list(showing(10, HOUR, 1000.0, 2 * HOUR)))
    derived()
    assert sum(loads(meter).values()) == 1_000_000
    readings(meter, (HOUR + 10, 1000.0, 100.5))
    derived()
    assert sum(loads(meter).values()) == pytest.approx(500_000, abs=5)
    assert loads(meter)[0] == pytest.approx(500_000 * 900 / 3610, abs=1)


def test_a_gap_among_them_has_what_the_power_does_not_explain(meter):
    """2 kWh in two hours, of which 1 kW was measured for the first half hour and the last one."""
    silent = [point for point in showing(10, 2 * HOUR, 1000.0, 2 * HOUR) if not 1800 < point[0] < 5400]
    readings(meter, *silent)
    derived()
    assert loads(meter) == dict.fromkeys(range(8), 250_000) | {8: 0}
    assert loads(meter, "bridged") == {0: 0, 1: 0, 2: 250_000, 3: 250_000, 4: 250_000, 5: 250_000, 6: 0, 7: 0, 8: 0}


def test_a_gap_among_them_is_nothing_where_the_power_explains_more_than_the_register_counted(meter):
    silent = [point[:2] for point in showing(10, 2 * HOUR, 1000.0, 2 * HOUR) if not 1800 < point[0] < 5400]
    readings(meter, (0, 1000.0, 100.0), *silent[1:-1], (2 * HOUR, 1000.0, 100.5))
    derived()
    assert loads(meter) == {0: 125_000, 1: 125_000, 2: 0, 6: 125_000, 7: 125_000, 8: 0}


def test_a_house_that_takes_much_may_show_its_register_once_a_minute(building):
    main = MeterFactory(building=building, apartment=None, is_main=True, topic="house/main")
    readings(main, *showing(1, 1800, 220_000.0, 60))
    derived()
    assert sum(loads(main).values()) == pytest.approx(110_000_000, abs=50)


def test_a_restart_that_shows_nothing_once_is_no_spike_after_a_long_silence(meter):
    """400 kWh, once 0, half an hour of nothing, and 400.3 kWh."""
    before = [(second, 300.0, 400 + 0.3 * second / HOUR) for second in range(0, 1800, 10)]
    after = [(second, 300.0, 400 + 0.3 * second / HOUR) for second in range(3600, 5400, 10)]
    readings(meter, *before, (1800, 0.0, 0.0), *after)
    derived()
    assert 295_000 <= sum(loads(meter).values()) <= 450_000


def test_a_young_meter_that_shows_nothing_once_is_no_spike(meter):
    readings(meter, (0, 300.0, 0.8), (10, 0.0, 0.0), (20, 300.0, 0.801), (30, 300.0, 0.802))
    derived()
    assert sum(loads(meter).values()) < 2_500


def test_a_meter_that_was_exchanged_within_an_hour_of_silence_is_no_spike(meter):
    old = [(second, 300.0, 500 + 0.3 * second / HOUR) for second in range(0, HOUR, 10)]
    new = [(second, 300.0, 1400 + 0.3 * second / HOUR) for second in range(2 * HOUR, 3 * HOUR, 10)]
    readings(meter, *old, *new)
    derived()
    assert 590_000 <= sum(loads(meter).values()) <= 600_000


points = st.lists(
    st.tuples(st.integers(0, 5 * HOUR // 10).map(lambda ten: 10 * ten), st.integers(0, 8000).map(float), st.booleans()),
    min_size=30,
    max_size=120,
    unique_by=lambda point: point[0],
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=points, seed=st.integers(), each=st.integers(2, 40))
def test_in_any_parts_and_order_and_once_more_it_is_the_same(meter, points, seed, each):
    """Registers shown by few readings, which come in any order."""
    points = sorted(points)
    rows = [
        (second, power, 7 + second / HOUR) if number % each == 0 else (second, power)
        for number, (second, power, _) in enumerate(points)
    ]
    forget_all()
    readings(meter, *rows)
    derived()
    at_once = snapshot()
    sum(rebuild())
    assert snapshot() == at_once
    forget_all()
    shuffled = random.Random(seed).sample(rows, len(rows))
    for start in range(0, len(shuffled), 11):
        readings(meter, *shuffled[start : start + 11])
        derived()
    assert snapshot() == at_once


def test_it_is_begun_anew_where_the_register_was_not_shown_for_more_than_a_day(meter, time_machine):
    time_machine.move_to(START.replace(day=25), tick=False)
    readings(meter, *showing(60, 30 * HOUR, 1000.0, 26 * HOUR, first=7.0))
    derived()
    assert sum(loads(meter).values()) == pytest.approx(30_000_000, abs=5)
