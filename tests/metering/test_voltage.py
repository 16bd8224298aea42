"""Voltage with its band: the curve, what is said of it, and that it is asked for on request only."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.history.voltage import HIGH, LOW
from metering.loads import derive_new
from metering.models import Load, Reading
from metering.models.load import QUARTER
from tests.factories import ReadingFactory
from tests.measured import use

NOON = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
TODAY = "since=2026-11-23&until=2026-11-23"
NOVEMBER = "since=2026-11-01&until=2026-11-30"


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def volts(meter):
    """Measures these, a minute apart, the last one so many minutes ago."""

    def measure(*values, minutes_ago=0):
        for minutes, value in enumerate(reversed(values)):
            ReadingFactory(meter=meter, taken_at=NOON - (minutes_ago + minutes) * MINUTE, voltage=value)
        sum(derive_new())

    return measure


def curve(client, query):
    found = client.get(f"/api/voltage?{query}").json()
    return found["step"], found["low"], found["mean"], found["high"]


def test_a_day_comes_from_readings_with_its_gaps(as_resident, volts):
    volts(229, 230, 231, minutes_ago=60)
    volts(226, minutes_ago=5)
    step, low, mean, high = curve(as_resident, TODAY)
    assert step == 300
    assert (low, mean, high) == ([229, 231, None, 226], [229.5, 231, None, 226], [230, 231, None, 226])


def test_weeks_come_from_quarter_hours(as_resident, volts):
    volts(206.94, 230, 253.06, minutes_ago=70)
    Reading.objects.all().delete()
    assert curve(as_resident, NOVEMBER) == (7200, [206.9], [230.0], [253.1])


def test_a_day_whose_readings_are_gone_comes_from_quarter_hours(as_resident, volts):
    volts(229, 230, 231, minutes_ago=60)
    Reading.objects.all().delete()
    assert curve(as_resident, TODAY) == (900, [229, 231], [229.5, 231], [230, 231])


def test_a_part_of_it_is_as_fine_as_it_is_known(as_resident, volts):
    volts(229, 230, 231)
    begin = int((NOON - MINUTE).timestamp())
    found = curve(as_resident, f"{NOVEMBER}&begin={begin}&end={begin + 120}")
    assert found == (2, [230, None, 231], [230, None, 231], [230, None, 231])


@pytest.mark.parametrize(
    ("values", "touched", "outside"),
    [((LOW, HIGH), 0, 0), ((206.9, 230), 1, 0), ((230, 253.1), 1, 0), ((206.9, 206.9), 1, 1), ((254, 253.5), 1, 1)],
)
def test_what_is_outside_of_the_band(as_resident, volts, values, touched, outside):
    volts(*values, minutes_ago=61)
    volts(230, minutes_ago=100)
    found = as_resident.get(f"/history?{TODAY}&voltage=1").context["voltage"]
    assert (found.quarters, found.touched, found.outside) == (2, touched, outside)
    assert (found.low, found.high) == (min(*values, 230), max(*values, 230))


def test_the_page_says_it_in_words(as_resident, volts):
    volts(230, 231, minutes_ago=61)
    page = as_resident.get(f"/history?{TODAY}&voltage=1").content.decode()
    assert "230 V ± 10 %: 207 to 253 V" in page
    assert "Within the band all the time" in page
    volts(200, minutes_ago=120)
    page = as_resident.get(f"/history?{TODAY}&voltage=1").content.decode()
    assert "Outside of the band for a moment at least in 1 of 2 quarter hours" in page
    assert "Lowest 200.0 V, on average" in page


def test_it_is_asked_for_on_request_only(as_resident, volts):
    volts(230, 231)
    with CaptureQueriesContext(connection) as asked:
        page = as_resident.get(f"/history?{TODAY}").content.decode()
    assert not any("voltage_m" in query["sql"] for query in asked.captured_queries)
    assert f"?{TODAY.replace('&', '&amp;')}&amp;voltage=1" in page
    assert "voltage.js" not in page
    page = as_resident.get(f"/history?{TODAY}&voltage=1").content.decode()
    assert "voltage.js" in page
    # The way to hide it, and the way to other days with it.
    assert f'href="?{TODAY.replace("&", "&amp;")}"' in page
    assert 'href="?since=2026-11-22&amp;until=2026-11-22&amp;voltage=1"' in page
    assert '<input type="hidden" name="voltage" value="1">' in page


def test_it_is_ones_own_alone(as_resident, as_neighbour, tenancy, volts):
    volts(230, 231)
    assert curve(as_neighbour, TODAY)[1] == []
    tenancy.moved_in = dt.date(2026, 11, 24)
    tenancy.save()
    assert as_resident.get(f"/api/voltage?{TODAY}").status_code == 404


def test_many_quarter_hours_are_written_as_other_counts(as_resident, meter):
    use(meter, NOON - 1199 * QUARTER, NOON, every=QUARTER)
    assert "in 1,200 quarter hours" in as_resident.get(f"/history?{NOVEMBER}&voltage=1").content.decode()
    Load.objects.update(voltage_max=2600)
    assert "at least in 1,200 of 1,200 quarter" in as_resident.get(f"/history?{NOVEMBER}&voltage=1").content.decode()
