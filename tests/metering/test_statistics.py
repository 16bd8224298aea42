"""Mean and highest power of the days shown fit the energy beside them, however many days these are."""

import datetime as dt

import pytest

from metering.loads import derive_new
from metering.models import Reading
from tests.factories import MeterFactory, ReadingFactory

NOON = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = 60 * MINUTE
LENGTHS = {
    "day": "since=2026-11-23&until=2026-11-23",
    "week": "since=2026-11-23&until=2026-11-29",
    "month": "since=2026-11-01&until=2026-11-30",
    "year": "since=2026-01-01&until=2026-12-31",
}
TODAY = LENGTHS["day"]


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOON, tick=False)


def read(meter, begin, minutes, power, *, every=5.0, **more):
    """Readings every so many minutes."""
    for number in range(int(minutes / every) + 1):
        ReadingFactory(meter=meter, taken_at=begin + number * every * MINUTE, power=power, **more)


def statistics(client, query):
    return client.get(f"/history?{query}").context["statistics"]


@pytest.mark.parametrize("length", LENGTHS)
def test_mean_power_is_energy_over_time_however_often_a_meter_spoke(as_resident, meter, length):
    begin = NOON - 5 * HOUR
    read(meter, begin, 59, 100)
    # As many readings in a quarter of an hour as else in five.
    read(meter, begin + HOUR, 15, 1000, every=0.25)
    read(meter, begin + 1.25 * HOUR + 5 * MINUTE, 120, 100)
    sum(derive_new())
    response = as_resident.get(f"/history?{LENGTHS[length]}")
    used = response.context["sum"]
    assert response.context["statistics"]["average"] == pytest.approx(used.energy * 3.6 / used.covered)
    assert response.context["statistics"]["average"] == pytest.approx(190)


def test_what_the_quarter_hour_that_is_not_over_says_counts(as_resident, meter):
    read(meter, NOON - HOUR, 55, 100)
    sum(derive_new())
    read(meter, NOON - 4 * MINUTE, 4, 1000, every=1)
    for query in LENGTHS.values():
        assert 130 < statistics(as_resident, query)["average"] < 190


@pytest.mark.parametrize("length", LENGTHS)
def test_a_register_has_the_say_and_what_it_bridged_has_no_time(as_resident, meter, length):
    for minutes, energy in ((0, 10), (5, 10.01), (10, 10.02), (100, 15), (105, 15.01)):
        ReadingFactory(meter=meter, taken_at=NOON - 3 * HOUR + minutes * MINUTE, power=10, energy_total=energy)
    sum(derive_new())
    # 30 Wh in 15 minutes.
    assert statistics(as_resident, LENGTHS[length])["average"] == pytest.approx(120, abs=0.1)


@pytest.mark.parametrize("length", LENGTHS)
def test_what_is_given_away_is_less(as_resident, meter, length):
    read(meter, NOON - 3 * HOUR, 60, -500)
    sum(derive_new())
    assert statistics(as_resident, LENGTHS[length])["average"] == pytest.approx(-500)


@pytest.mark.parametrize("length", LENGTHS)
def test_of_several_meters_it_is_the_mean_of_all_of_them(as_resident, apartment, meter, length):
    other = MeterFactory(apartment=apartment, topic="house/other")
    read(meter, NOON - 3 * HOUR, 60, 100)
    read(other, NOON - 3 * HOUR, 60, 300, every=1)
    sum(derive_new())
    assert statistics(as_resident, LENGTHS[length])["average"] == pytest.approx(200)


class TestHighest:
    @pytest.fixture
    def day(self, meter):
        read(meter, NOON - 2 * HOUR, 100, 100)
        ReadingFactory(meter=meter, taken_at=NOON - 69 * MINUTE, power=2258.78)
        sum(derive_new())

    def test_it_is_that_of_the_dashboard(self, as_resident, day):
        assert "Highest: 2258.78 W at 10:51" in as_resident.get("/").content.decode()
        for length in ("day", "week"):
            response = as_resident.get(f"/history?{LENGTHS[length]}")
            found, page = response.context["statistics"], response.content.decode()
            assert (found["maximum"], found["at"]) == (2258.78, NOON - 69 * MINUTE)
            assert 'data-whole="Highest: 2258.78 W at 10:51"' in page
            assert '<dd>2258.78 <span class="unit">W</span></dd><dd class="complete">10:51</dd>' in page
        assert max(filter(None, as_resident.get(f"/api/curve?{TODAY}").json()["peak"])) == 2258.78

    def test_whole_watts_have_no_decimals(self, as_resident, day):
        saved = ReadingFactory(meter=Reading.objects.first().meter, taken_at=NOON - 68 * MINUTE, saved_at=NOON)
        Reading.objects.exclude(pk=saved.pk).delete()
        for query in LENGTHS.values():
            response = as_resident.get(f"/history?{query}")
            assert (response.context["statistics"]["maximum"], response.context["statistics"]["at"]) == (2259, None)
            assert '<dd>2259 <span class="unit">W</span></dd></div>' in response.content.decode()
            assert "data-whole" not in response.content.decode()

    def test_nothing_derives(self, as_resident, meter):
        read(meter, NOON - 2 * HOUR, 100, 100.5)
        assert statistics(as_resident, TODAY)["maximum"] == 100.5

    def test_another_household_has_no_say(self, as_neighbour, day):
        assert statistics(as_neighbour, TODAY) == {"average": None, "maximum": None, "at": None, "number": 0}
