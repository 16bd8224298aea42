"""The way of a reading on a page that stays open: lamps, notice and the sentence about the latest reading."""

import datetime as dt
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.broker import Broker
from tests.browser.axe import TOLD, violations, violations_in_dark

pytestmark = pytest.mark.sqlite

TOPIC = "electricity/house/floor/101"
LIVE = {"listener": "Recorder ready", "broker": "Reception works", "meter": "Meter live"}
SILENT = LIVE | {"meter": "Meter silent"}
AWAY = {"listener": "Recorder ready", "broker": "No reception", "meter": "Meter: unknown"}
DOWN = {"listener": "Recorder stopped", "broker": "Reception: unknown", "meter": "Meter: unknown"}
NOTICE = re.compile(r"Recording in your building is interrupted: the figures below are from \d\d:\d\d:\d\d\.")
REMOVE = """
from django.utils import timezone
from metering.models import Meter
Meter.objects.update(removed_at=timezone.now())
"""
JUST_MEASURED = re.compile(r"Measured \d\d:\d\d:\d\d, ")


@pytest.fixture
def broker(tmp_path):
    """One that may be stopped: it is nobody else's."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with Broker(folder) as running:
        yield running


def measure(broker, ago=dt.timedelta()):
    taken_at = dt.datetime.now(dt.UTC) - ago
    broker.publish(TOPIC, f'{{"voltage": 228.9, "current": 14, "timestamp": "{taken_at.isoformat()}"}}')


@pytest.fixture
def expect_both_ways(page, no_errors):
    """What the script made of the page, and what the server writes anew; axe finds nothing on it, in either theme."""

    def look(lamps, measured, *, is_interrupted=False):
        for reload in (lambda: None, page.reload):
            reload()
            for name, words in lamps.items():
                expect(page.locator(f"[data-lamp={name}]")).to_have_text(words)
            expect(page.locator("#measured")).to_have_text(measured)
            expect(page.locator("#interrupted")).to_be_visible(visible=is_interrupted)
        # Some of it takes the server away.
        no_errors.drop("Failed to load resource")
        assert no_errors == []
        assert violations(page) + violations_in_dark(page) == []
        no_errors.drop(*TOLD)

    return look


def test_a_meter_that_is_silent_and_speaks_again(page, move_in, broker, expect_both_ways):
    move_in(page, "101")
    measure(broker, dt.timedelta(days=1))
    expect_both_ways(
        SILENT, re.compile(r"^Meter silent for 1 day: the last reading was 3\.2 kW at \d\d:\d\d on \d+ \w+ \d{4}$")
    )
    measure(broker)
    expect(page.locator("#spoken")).to_have_text("Meter live")
    expect_both_ways(LIVE, JUST_MEASURED)


def test_a_meter_that_grows_late(page, move_in, broker, house, expect_both_ways):
    move_in(page, "101")
    house.web.end()
    house.env["METER_LIVE_SECONDS"] = "1"
    house.start_web()
    page.reload()
    measure(broker)
    expect_both_ways(
        LIVE | {"meter": "Meter late"},
        re.compile(r"^Meter silent for \d+ \w+: the last reading was 3\.2 kW at \d\d:\d\d$"),
    )


def test_where_the_broker_is_away_nobody_blames_the_meter(page, move_in, broker, expect_both_ways):
    move_in(page, "101")
    measure(broker)
    expect_both_ways(LIVE, JUST_MEASURED)
    broker.stop()
    expect_both_ways(AWAY, JUST_MEASURED, is_interrupted=True)
    broker.start()
    expect(page.locator("#interrupted")).to_be_hidden()
    expect(page.locator("[data-lamp=broker]")).to_have_text("Reception works")


def test_where_the_listener_is_down_nothing_else_is_known(page, move_in, broker, house, expect_both_ways):
    move_in(page, "101")
    measure(broker)
    expect_both_ways(LIVE, JUST_MEASURED)
    listener = next(process for process in house.processes if "riser.listener" in process.said)
    listener.signal(signal.SIGTERM)
    assert listener.wait() == 0
    expect(page.locator("#spoken")).to_have_text(NOTICE)
    expect_both_ways(DOWN, JUST_MEASURED, is_interrupted=True)
    # Without Riser nothing is known of that.
    house.web.end()
    expect(page.get_by_text("No connection to Riser.")).to_be_visible()
    expect(page.locator("#interrupted")).to_be_hidden()
    expect(page.locator(".lamps")).to_be_hidden()
    house.start_web()
    expect(page.locator("#interrupted")).to_have_text(NOTICE)
    house.start_listener()
    measure(broker)
    expect_both_ways(LIVE, JUST_MEASURED)


def test_whoever_moved_out_sees_no_lamps(page, move_in, broker, house):
    move_in(page, "101")
    measure(broker, dt.timedelta(days=2))
    expect(page.locator("#measured")).to_have_text(re.compile("Meter silent for 2 days"))
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    house.execute(f"UPDATE accounts_tenancy SET moved_out = '{yesterday}'")
    page.reload()
    expect(page.locator("#measured")).to_have_text(re.compile(r"^Measured \d+ \w+ \d{4}, \d\d:\d\d:\d\d, 2 days ago$"))
    expect(page.locator(".lamps")).to_have_count(0)
    expect(page.locator("#interrupted")).to_be_hidden()


def test_of_a_meter_that_was_removed_nobody_expects_a_word(page, move_in, broker, house, site):
    move_in(page, "101")
    measure(broker)
    expect(page.locator("[data-lamp=meter]")).to_have_text("Meter live")
    ((number,),) = house.query("SELECT meter_id FROM metering_reading")
    house.manage("shell", "-c", REMOVE)
    with page.expect_response(re.compile("/live")):
        page.goto(f"{site}/?meter={number}")
    expect(page.get_by_text("This meter was removed on")).to_be_visible()
    expect(page.locator("#measured")).to_have_text(JUST_MEASURED)
    expect(page.locator(".lamps")).to_have_count(0)
