"""Readings that come late, among them such as are older than readings are kept: none is lost, nothing is made up."""

import datetime as dt
import random

import pytest
import time_machine
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering import loads as deriving
from metering.housekeeping import Housekeeping
from metering.loads import derive_new, rebuild
from metering.models import DayTotal, Load, LoadProgress, MonthTotal, Pruning, Reading
from metering.models.load import quarter_of
from metering.retention import LATE_KEPT, deletable, prune

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 11, 10, 21, 0, tzinfo=dt.UTC)
"""Two hours before a local midnight."""
SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
NOW = START + 10 * DAY
FIRST = quarter_of(START)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


def store(meter, points, **fields):
    """Readings (seconds after START, power, register); what is stored already is not stored again."""
    rows = [
        Reading(meter=meter, taken_at=START + second * SECOND, voltage=230.0, current=power / 230, power=power,
                energy_total=register, **fields)
        for second, power, register in points
    ]  # fmt: skip
    Reading.objects.bulk_create(rows, ignore_conflicts=True)


def housekeep():
    Housekeeping(lambda _: False, lambda _: None, quiet=True).round()


def every(seconds, begin, end, power=1000.0, register=None):
    """Readings at regular times; the register goes on with the power from `begin` on."""
    for second in range(begin, end, seconds):
        yield second, power, None if register is None else register + power * (second - begin) / 3.6e6


def snapshot():
    days = DayTotal.objects.order_by("meter", "date", "band").values_list("date", "energy", "exported", "covered")
    months = MonthTotal.objects.order_by("meter", "month", "band").values_list("month", "energy", "exported", "covered")
    return list(Load.objects.order_by("meter", "quarter").values()), list(days), list(months)


def forget_all():
    for model in (Reading, Load, DayTotal, MonthTotal, LoadProgress, Pruning):
        model.objects.all().delete()


def at_once(meter, points):
    """What is counted of them where all come in time."""
    forget_all()
    store(meter, points)
    sum(derive_new())
    found = snapshot()
    forget_all()
    return found


def energy():
    """Of quarter hours, days and months, which are the same, in kWh."""
    sums = {model.objects.aggregate(sum=Sum("energy"))["sum"] for model in (Load, DayTotal, MonthTotal)}
    assert len(sums) == 1
    return (sums.pop() or 0) / 1e6


def quarters(name="energy"):
    return {load.quarter - FIRST: getattr(load, name) for load in Load.objects.order_by("quarter")}


points = st.lists(
    st.tuples(
        st.integers(0, 5 * 3600),
        st.integers(-3000, 8000).map(float),
        st.one_of(st.none(), st.integers(0, 50_000).map(lambda wh: wh / 1000)),
    ),
    max_size=40,
    unique_by=lambda point: point[0],
)
a_while = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@a_while
@given(points=points, size=st.integers(1, 9), seed=st.integers())
def test_a_backlog_in_any_order_any_of_it_twice(meter, points, size, seed):
    expected = at_once(meter, points)
    shuffled = random.Random(seed).sample(points, len(points))
    for start in range(0, len(shuffled), size):
        store(meter, shuffled[max(0, start - size // 2) : start + size], received_at=NOW)
        housekeep()
    assert snapshot() == expected


@a_while
@given(points=points, size=st.integers(1, 9))
def test_a_backlog_in_order_of_time_is_pruned_meanwhile(meter, points, size):
    """However long that takes: only that it comes in the order in which it was measured is known of it."""
    live = (int((NOW - START) / SECOND), 500.0, 60.0)
    expected = at_once(meter, [*points, live])
    in_order = sorted(points)
    store(meter, [live])
    housekeep()
    for start in range(0, len(in_order), size):
        store(meter, in_order[max(0, start - size // 2) : start + size])
        housekeep()
    assert snapshot() == expected


@pytest.mark.parametrize("register", [None, 100.0])
def test_ten_days_in_parts(meter, register):
    backlog = list(every(60, 0, 10 * 86_400, register=register))
    for start in range(0, len(backlog), 1000):
        store(meter, backlog[start : start + 1000])
        housekeep()
    assert energy() == pytest.approx(240 - 1 / 60, abs=1e-5)
    assert Reading.objects.filter(taken_at__lt=NOW - 7 * DAY).count() < 35


def test_both_halves_of_a_day_that_is_over(meter):
    day = list(every(300, 0, 86_401))
    for half in (day[::2], day[1::2]):
        store(meter, half, received_at=NOW)
        housekeep()
    assert energy() == 24
    assert sum(quarters("covered").values()) == 86_400


def test_what_came_late_goes_after_a_day(meter):
    store(meter, every(60, 0, 7200), received_at=NOW)
    housekeep()
    assert Reading.objects.count() == 120
    with time_machine.travel(NOW + LATE_KEPT + SECOND, tick=False):
        housekeep()
    # Those of the quarter hour in which it ended and of the one before.
    assert Reading.objects.count() == 30
    assert energy() == pytest.approx(2 - 1 / 60, abs=1e-5)


def test_a_late_reading_of_a_time_that_is_pruned_already_keeps_nothing_back(meter):
    """Else a meter with two clocks would have its readings kept for ever."""
    store(meter, every(60, 0, 7200))
    housekeep()
    store(meter, every(60, 7200, 10_800))
    store(meter, [(-86_400, 1.0, None)], received_at=NOW)
    housekeep()
    assert not Reading.objects.filter(taken_at__lt=START + 2 * HOUR).exists()


def prune_up_to(instant):
    sum(derive_new())
    sum(prune(instant, lambda _: None))


class TestAReadingOfATimeThatIsPruned:
    @pytest.fixture
    def silent_day(self, meter):
        """A day at 1 kW, a day without power, a day at 1 kW; pruned up to the midst of the last one."""
        store(meter, every(60, 0, 86_401, register=100.0))
        store(meter, every(60, 2 * 86_400, 3 * 86_400 + 1, register=124.0))
        prune_up_to(START + 2.5 * DAY)
        assert energy() == 48
        return meter

    def test_does_not_have_the_register_fill_what_was_silent(self, silent_day):
        before = snapshot()
        store(silent_day, [(1807, 1000.0, 100.502)])
        housekeep()
        assert snapshot() == before

    def test_adds_its_quarter_hour_where_there_was_none(self, silent_day):
        """By the power, or the register, of no more than the maximum gap."""
        store(silent_day, [(100_000, 900.0, 124.0), (100_060, 900.0, 124.01)])
        before = snapshot()[0]
        housekeep()
        added = [row for row in snapshot()[0] if row not in before]
        assert [(row["quarter"] - FIRST, row["samples"], row["covered"], row["bridged"]) for row in added] == [
            (111, 2, 60, 0)
        ]
        assert energy() == 48.01

    def test_makes_no_quarter_hour_less(self, silent_day):
        before = energy()
        store(silent_day, [(second, 0.0, None) for second in range(30, 86_400, 60)])
        housekeep()
        assert energy() == before


def test_nothing_is_pruned_before_it_is_noted(meter):
    """Whoever read them before they went must learn of it after."""
    store(meter, every(60, 0, 7200))
    sum(derive_new())
    pruning = prune(NOW - 7 * DAY, lambda _: None)
    assert next(pruning) > 0
    assert Pruning.objects.get().pruned_to == START + 1.5 * HOUR


def test_readings_that_go_while_others_are_derived(meter, monkeypatch):
    """Between two statements of a derivation: what it then sees is less than what is stored."""
    store(meter, every(60, 0, 7200, register=100.0))
    sum(derive_new())
    before = snapshot()

    def windows_before_pruning(since):
        windows = windows_from(since)
        sum(prune(NOW - 7 * DAY, lambda _: None))
        return windows

    windows_from = deriving.windows_from
    monkeypatch.setattr(deriving, "windows_from", windows_before_pruning)
    sum(rebuild())
    assert Reading.objects.count() == 30
    assert snapshot() == before


def test_what_is_not_derived_yet_is_not_noted_as_pruned(meter):
    """It came after energy was derived and before readings are pruned."""
    store(meter, every(60, 0, 3600))
    sum(derive_new())
    store(meter, every(60, 3600, 7201))
    sum(prune(NOW - 7 * DAY, lambda _: None))
    housekeep()
    assert energy() == 2


def test_noting_never_goes_back(meter):
    store(meter, every(60, 0, 7200))
    prune_up_to(NOW - 7 * DAY)
    noted = Pruning.objects.get().pruned_to
    prune_up_to(START + HOUR)
    assert Pruning.objects.get().pruned_to == noted


def test_saved_readings_stay(meter):
    store(meter, every(60, 0, 7200))
    saved = Reading.objects.earliest("taken_at")
    Reading.objects.filter(pk=saved.pk).update(saved_at=NOW)
    housekeep()
    assert Reading.objects.filter(pk=saved.pk).exists()
    assert not deletable().exists()
