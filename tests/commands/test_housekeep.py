"""housekeep as a process: killed, stopped, and with others at the database."""

import datetime as dt
import os
import signal

import pytest
from django.utils import timezone

from metering.models.instant import to_microseconds
from tests.postgres import SERVER
from tests.waiting import wait_for

OLD = 120_000
SAVED = OLD // 20_000
QUARTER = 15 * 60 * 1_000_000
LEFT_OF_ALL = SAVED + 2 * (1 + 450) + 1
"""Of each meter one of the last quarter hour and all of the one before; and the newest one."""
LEFT = 12_000


def instant(microseconds):
    """SQL for it, as the column has it."""
    if SERVER in os.environ:
        return f"timestamptz '1970-01-01 00:00:00+00' + ({microseconds}) * interval '1 microsecond'"
    return microseconds


def insert(house, microseconds):
    house.execute(
        "INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)"
        f" SELECT min(id), {instant(microseconds)}, 230, 2, 460, '' FROM metering_meter"
    )


@pytest.fixture
def full_house(installation):
    """Two meters: one with old and new readings, some of them saved, and one that has been silent for long."""
    installation.make_house("101", "102")
    (first,), (second,) = installation.query("SELECT id FROM metering_meter ORDER BY id")
    month_ago = to_microseconds(timezone.now() - dt.timedelta(days=30)) // QUARTER * QUARTER - (OLD - 2) * 1_000_000
    taken_at = instant(f"{month_ago} + CAST(i AS bigint) * 1000000")
    installation.execute(
        f"""
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {OLD - 1})
        INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note, saved_at)
        SELECT CASE WHEN i % 2 = 1 THEN {first} ELSE {second} END, {taken_at},
               230, 2, 460, '', CASE WHEN i % 20000 = 1 THEN {instant(month_ago)} END
        FROM n
        """
    )
    insert(installation, to_microseconds(timezone.now()))
    return installation


def count(house):
    return house.query("SELECT count(*) FROM metering_reading")[0][0]


def is_tidy(house):
    """What must be left in the end: saved ones, the newest of each meter, and where an interval began that is kept."""
    saved = house.query("SELECT count(*) FROM metering_reading WHERE saved_at IS NOT NULL")[0][0]
    newest = house.query(
        "SELECT count(*) FROM metering_reading r WHERE saved_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM metering_reading n WHERE n.meter_id = r.meter_id AND n.taken_at > r.taken_at)"
    )[0][0]
    return (saved, newest, count(house)) == (SAVED, 2, LEFT_OF_ALL)


def test_killed_in_the_middle_it_leaves_a_good_file_and_the_next_run_finishes(full_house):
    before = count(full_house)
    killed = full_house.start("housekeep")
    wait_for(lambda: count(full_house) < before, "the first chunk is gone")
    killed.signal(signal.SIGKILL)
    killed.wait()
    if SERVER not in os.environ:
        assert full_house.query("PRAGMA integrity_check") == [("ok",)]
    assert LEFT_OF_ALL < count(full_house) < before
    assert f"{count(full_house) - LEFT_OF_ALL:,} readings older than 7 days" in full_house.manage("housekeep")
    assert is_tidy(full_house)


def test_it_shows_how_far_it_is(full_house):
    said = full_house.manage("housekeep").splitlines()
    assert said[0].endswith("loads and totals of days written")
    assert said[1].endswith("readings deleted so far")
    assert said[-1] == f"{OLD + 1 - LEFT_OF_ALL:,} readings older than 7 days deleted"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_the_middle(full_house, number):
    before = count(full_house)
    running = full_house.start("housekeep")
    wait_for(lambda: count(full_house) < before, "the first chunk is gone")
    running.signal(number)
    assert running.wait() == 0
    assert LEFT_OF_ALL < count(full_house) < before


@pytest.fixture
def left_house(installation):
    """Saved readings of a household that left years ago, and of the one that lives there now."""
    installation.make_house("101")
    for moved_in in ("2020-01-01", "2021-01-01"):
        installation.manage("invite", "house", "101", "--moved-in", moved_in)
    for begin, number in ((dt.datetime(2020, 6, 1, tzinfo=dt.UTC), LEFT), (dt.datetime(2021, 6, 1, tzinfo=dt.UTC), 1)):
        taken_at = instant(f"{to_microseconds(begin)} + CAST(i AS bigint) * 1000000")
        installation.execute(
            f"""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {number - 1})
            INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note, saved_at)
            SELECT (SELECT min(id) FROM metering_meter), {taken_at}, 230, 2, 460, 'note', {taken_at} FROM n
            """
        )
    return installation


def test_killed_while_it_erases_a_household_it_finishes_later(left_house):
    killed = left_house.start("housekeep")
    wait_for(lambda: count(left_house) < LEFT + 1, "the first chunk is gone")
    killed.signal(signal.SIGKILL)
    killed.wait()
    between = count(left_house) - 1
    assert between > 0
    assert left_house.query("SELECT count(*) FROM accounts_tenancy") == [(2,)]
    assert left_house.manage("housekeep").splitlines() == [
        "0 readings older than 7 days deleted",
        f"{between:,} readings of households that left deleted",
        f"{LEFT // 900 + 1:,} loads of households that left deleted",
        "1 totals of days of households that left deleted",
        "1 tenancies that ended deleted",
    ]
    assert count(left_house) == 1
    assert left_house.query("SELECT count(*) FROM accounts_tenancy") == [(1,)]
    assert left_house.manage("housekeep") == "0 readings older than 7 days deleted\n"


def test_it_refuses_settings_that_would_erase_too_much(installation):
    refused = installation.start("housekeep", ERASE_READINGS_AFTER_MONTHS="0")
    assert refused.wait() == 1
    assert "ERASE_READINGS_AFTER_MONTHS is 0: it must be from 1 to 1200 months." in refused.said


def test_every_so_many_seconds_until_a_signal(full_house):
    running = full_house.start("housekeep", "--every", "0.1")
    running.wait_until_it_says("readings older than 7 days deleted\n")
    assert is_tidy(full_house)
    insert(full_house, 1)
    running.wait_until_it_says("\n1 readings older than 7 days deleted\n")
    assert is_tidy(full_house)
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
