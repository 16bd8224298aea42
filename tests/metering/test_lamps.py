"""The way of a reading on the dashboard, as the server writes it."""

import datetime as dt
import re

import pytest
from django.utils.html import strip_tags

from metering import figures
from metering.loads import derive_new
from tests.factories import ListenerStateFactory, MeterFactory, ReadingFactory

pytestmark = pytest.mark.django_db

# 14:19 in Berlin.
NOW = dt.datetime(2026, 11, 23, 13, 19, 30, tzinfo=dt.UTC)
LAMP = re.compile(r'<li data-lamp="(\w+)" data-state="(\w+)">.*?<span class="word"[^>]*>(.*?)</span>', re.S)
NOTICE = re.compile(r'<div class="alert alert-warning" id="interrupted"([^>]*)>(.*?)</div>', re.S)
MEASURED = re.compile(r'<p class="measured"[^>]*>(.*?)</p>', re.S)
RECORDING = [("listener", "up", "Recorder ready"), ("broker", "connected", "Reception works")]
AWAY = [
    ("listener", "up", "Recorder ready"),
    ("broker", "disconnected", "No reception"),
    ("meter", "unknown", "Meter: unknown"),
]
DOWN = [
    ("listener", "down", "Recorder stopped"),
    ("broker", "unknown", "Reception: unknown"),
    ("meter", "unknown", "Meter: unknown"),
]


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


def record(**heard):
    """One listener, which runs and reaches the broker but for what is said."""
    ListenerStateFactory(**{"broker_connected": True, "heartbeat_at": NOW} | heard)


def read(meter, **ago):
    ReadingFactory(meter=meter, taken_at=NOW - dt.timedelta(**ago), power=3204.4)


def plain(words):
    return " ".join(strip_tags(words).split())


def told(client, path="/"):
    """Lamps, the notice where one is shown, and what is said of the latest reading."""
    page = client.get(path).content.decode()
    attributes, words = NOTICE.search(page).groups()
    notice = "" if "hidden" in attributes else plain(words)
    return LAMP.findall(page), notice, plain(MEASURED.search(page)[1])


def test_a_meter_that_speaks(as_resident, meter):
    record()
    read(meter, seconds=10)
    assert told(as_resident) == ([*RECORDING, ("meter", "live", "Meter live")], "", "Measured 23 Nov 2026, 14:19:20")


@pytest.mark.parametrize(
    ("ago", "state", "duration", "when"),
    [
        ({"seconds": 100}, ("stale", "Meter late"), "1 minute", "14:17"),
        ({"minutes": 12}, ("silent", "Meter silent"), "12 minutes", "14:07"),
        ({"days": 2}, ("silent", "Meter silent"), "2 days", "14:19 on 21 Nov 2026"),
    ],
)
def test_a_meter_that_is_late_or_silent(as_resident, meter, ago, state, duration, when):
    record()
    read(meter, **ago)
    words = f"Meter silent for {duration}: the last reading was 3.2 kW at {when}"
    assert told(as_resident) == ([*RECORDING, ("meter", *state)], "", words)


@pytest.mark.parametrize(
    ("heard", "lamps"),
    [({"broker_connected": False}, AWAY), ({"heartbeat_at": NOW - dt.timedelta(days=1)}, DOWN)],
)
def test_where_nobody_records_that_is_told_once_and_in_plain_words(as_resident, meter, heard, lamps):
    record(**heard)
    read(meter, minutes=12)
    notice = (
        "Recording in your building is interrupted: the figures below are from 23 Nov 2026, 14:07:30. "
        "Your building manager can see why."
    )
    assert told(as_resident) == (lamps, notice, "Measured 23 Nov 2026, 14:07:30")


def test_without_a_listener_nothing_is_known(as_resident, meter):
    lamps, notice, measured = told(as_resident)
    assert lamps == DOWN
    assert notice.startswith("Recording in your building is interrupted, so that no readings come in.")
    assert measured.startswith("No reading yet.")


def test_a_meter_that_never_spoke(as_resident, meter):
    record()
    lamps, notice, measured = told(as_resident)
    assert lamps == [*RECORDING, ("meter", "silent", "Meter silent")]
    assert notice == ""
    assert measured.startswith("No reading yet.")


def test_whoever_moved_out_sees_no_lamps(as_resident, tenancy, meter):
    record()
    read(meter, minutes=12)
    tenancy.moved_out = NOW.date() - dt.timedelta(days=30)
    tenancy.save()
    assert told(as_resident) == ([], "", "No reading of your time in this apartment is stored.")


def test_of_a_meter_that_was_removed_nobody_expects_a_word(as_resident, apartment, meter):
    old = MeterFactory(apartment=apartment, topic="house/old", serial="old")
    read(old, days=1)
    read(meter, seconds=10)
    old.removed_at = NOW - dt.timedelta(hours=20)
    old.save()
    sum(derive_new())
    assert told(as_resident, f"/?meter={old.pk}") == ([], "", "Measured 22 Nov 2026, 14:19:30")


@pytest.mark.parametrize(
    ("watts", "said"),
    [(0, "0 W"), (85.4, "85 W"), (999.4, "999 W"), (999.5, "1.0 kW"), (3204.4, "3.2 kW"), (-12_345, "-12.3 kW"),
     (99_949, "99.9 kW"), (99_950, "100 kW"), (-441_027.12, "-441 kW")],
)  # fmt: skip
def test_power_has_three_figures_at_most(watts, said):
    assert figures.whole_watts(watts) == said
