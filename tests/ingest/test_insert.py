import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from metering.ingest.insert import NewReading, _free_from, insert_every, insert_new
from metering.models import Reading
from metering.models.instant import MICROSECOND
from tests.fakes import NOON

pytestmark = pytest.mark.django_db


def reading(meter, taken_at=NOON, power=460.0, received_at=None):
    return NewReading(meter.pk, taken_at, 230.0, 2.0, power, None, 1234.5, received_at)


def powers():
    return list(Reading.objects.order_by("taken_at").values_list("power", flat=True))


def test_every_column_arrives(meter):
    received_at = NOON + dt.timedelta(seconds=1)
    assert insert_new([reading(meter, received_at=received_at)]) == 1
    row = Reading.objects.get()
    assert (row.meter, row.taken_at, row.received_at, row.note) == (meter, NOON, received_at, "")
    assert (row.voltage, row.current, row.power, row.power_factor, row.energy_total) == (
        230.0,
        2.0,
        460.0,
        None,
        1234.5,
    )
    assert (row.saved_at, row.saved_by) == (None, None)


def test_a_repetition_in_the_table_or_among_the_rows_is_left_out_and_not_counted(meter):
    assert insert_new([reading(meter, power=1.0)]) == 1
    later = NOON + MICROSECOND
    assert insert_new([reading(meter, power=2.0), reading(meter, later, 3.0), reading(meter, later, 4.0)]) == 1
    assert powers() == [1.0, 3.0]


def test_any_other_violation_is_an_error(meter):
    broken = reading(meter)._replace(voltage=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_new([broken])
    assert powers() == []


def test_what_has_no_time_of_its_own_is_never_a_repetition_and_keeps_its_order(meter, django_assert_max_num_queries):
    rows = [reading(meter, NOON + number * MICROSECOND, float(number)) for number in range(50)]
    insert_every(rows[:30])
    with django_assert_max_num_queries(120):
        insert_every([row._replace(power=row.power + 100) for row in rows])
    assert powers() == [*map(float, range(30)), *map(float, range(100, 150))]


def test_a_wall_of_readings_costs_no_question_for_each(meter, django_assert_max_num_queries):
    """A meter may send them with times a microsecond apart, and then some without a time."""
    insert_new([reading(meter, NOON + number * MICROSECOND, float(number), NOON) for number in range(2000)])
    into_the_wall = [reading(meter, NOON + number * MICROSECOND, 5000.0 + number) for number in range(0, 1000, 100)]
    with django_assert_max_num_queries(40):
        insert_every(into_the_wall)
    assert powers() == [*map(float, range(2000)), *(row.power for row in into_the_wall)]


def test_a_clock_that_went_back_moves_only_what_meets_another_reading(meter):
    insert_every([reading(meter, NOON, 1.0)])
    early = NOON - dt.timedelta(days=1)
    insert_every([reading(meter, NOON, 2.0), reading(meter, early, 3.0)])
    times = dict(Reading.objects.values_list("power", "taken_at"))
    assert times == {1.0: NOON, 2.0: NOON + MICROSECOND, 3.0: early}


def test_an_instant_that_another_listener_takes_meanwhile_loses_no_reading(meter, monkeypatch):
    insert_every([reading(meter, NOON, 1.0)])
    looked = []

    def free_from(meter_id, instant):
        """The other's reading is committed only after the first look."""
        looked.append(instant)
        return instant if len(looked) == 1 else _free_from(meter_id, instant)

    monkeypatch.setattr("metering.ingest.insert._free_from", free_from)
    insert_every([reading(meter, NOON, 2.0)])
    assert powers() == [1.0, 2.0]
