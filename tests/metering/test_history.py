import datetime as dt
import re

import pytest

from metering.figures import kilowatt_hours
from metering.loads import derive_new
from metering.models import Reading
from tests.factories import MeterFactory, ReadingFactory, TariffFactory, TenancyFactory

BERLIN_NOON = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(BERLIN_NOON, tick=False)


@pytest.fixture
def readings(meter):
    """Three today and one yesterday; two are saved."""
    rows = [(0, 1.0, "Oven"), (1, 3.0, ""), (2, 2.0, None), (20, 9.0, None)]
    return [
        ReadingFactory(
            meter=meter, taken_at=BERLIN_NOON - hours * HOUR, voltage=100, current=current,
            saved_at=None if note is None else BERLIN_NOON, note=note or "",
        )
        for hours, current, note in rows
    ]  # fmt: skip


def shown(response):
    return [reading.power for reading in response.context["page"]]


def test_it_begins_with_today_newest_first(as_resident, readings):
    response = as_resident.get("/history")
    assert shown(response) == [100, 300, 200]
    # An hour apart: nobody knows what power there was between them.
    expected = {"average": None, "maximum": 300, "at": BERLIN_NOON - HOUR, "number": 3}
    assert response.context["statistics"] == expected


def test_of_other_peoples_time_between_ones_own_it_says_nothing(as_resident, resident, tenancy, readings):
    """Not even that nothing was used."""
    tenancy.moved_out = dt.date(2026, 11, 20)
    tenancy.save()
    TenancyFactory(apartment=tenancy.apartment, moved_in=dt.date(2026, 11, 23)).residents.add(resident)
    page = as_resident.get("/history?since=2026-11-20&until=2026-11-22").content.decode()
    assert re.search(r"<dt>Energy</dt><dd>–", page)
    assert "0.00" not in page


def test_times_are_those_of_the_building(as_resident, readings):
    page = as_resident.get("/history").content.decode()
    assert "<span>23 Nov 2026</span> <span>12:00:00</span>" in page


def test_a_column_has_one_number_of_decimals(as_resident, meter):
    for hours, (voltage, current) in enumerate([(230.5, 1.0), (231, 1.25)]):
        ReadingFactory(meter=meter, taken_at=BERLIN_NOON - hours * HOUR, voltage=voltage, current=current)
    page = as_resident.get("/history").content.decode()
    assert re.findall(r'<td class="number">(\S+) [VAW]</td>', page) == [
        "230.5",
        "1.00",
        "230.50",
        "231.0",
        "1.25",
        "288.75",
    ]


def test_energy_of_the_parts_has_as_many_decimals_as_that_of_the_largest():
    assert [kilowatt_hours(energy) for energy in (1_230_000, 24_600_000)] == ["1.23", "24.6"]
    assert [kilowatt_hours(energy, 24_600_000) for energy in (1_230_000, 24_600_000, None)] == ["1.2", "24.6", "–"]


def test_saved_readings_of_all_time(as_resident, readings):
    response = as_resident.get("/history?show=saved")
    assert shown(response) == [100, 300]
    assert response.context["statistics"]["number"] == 2
    assert "Oven" in response.content.decode()


@pytest.mark.parametrize(
    ("query", "powers"),
    [
        ("since=2026-11-22&until=2026-11-22", [900]),
        ("since=2026-11-22", [100, 300, 200, 900]),
        ("until=2026-11-22", [900]),
        ("since=2026-11-20&until=2026-11-21", []),
    ],
)
def test_days_are_local_days(as_resident, readings, query, powers):
    assert shown(as_resident.get(f"/history?{query}")) == powers


@pytest.mark.parametrize(
    ("sort", "powers"),
    [("time", [200, 300, 100]), ("-time", [100, 300, 200]), ("power", [100, 200, 300]), ("-power", [300, 200, 100]),
     ("-current", [300, 200, 100]), ("voltage", [100, 300, 200]), ("-note", [100, 300, 200]),
     ("nonsense", [100, 300, 200])],
)  # fmt: skip
def test_every_column_sorts(as_resident, readings, sort, powers):
    assert shown(as_resident.get(f"/history?sort={sort}")) == powers


def test_a_second_click_turns_the_order_round(as_resident, readings):
    columns = {column.title: column for column in as_resident.get("/history?sort=-power").context["columns"]}
    assert columns["Power"].direction == "descending"
    assert columns["Power"].query == "sort=power"
    assert columns["Time"].query == "sort=-time"


def test_pages_keep_the_choice(as_resident, meter):
    for minutes in range(35):
        ReadingFactory(meter=meter, taken_at=BERLIN_NOON - dt.timedelta(minutes=minutes), current=minutes)
    first = as_resident.get("/history?sort=power")
    assert (len(first.context["page"]), first.context["page"].paginator.num_pages) == (25, 2)
    assert "?sort=power&amp;page=2" in first.content.decode()
    assert len(as_resident.get("/history?sort=power&page=2").context["page"]) == 10
    assert first.context["statistics"]["number"] == 35
    assert len(as_resident.get("/history?page=nonsense").context["page"]) == 25


def test_empty_states_say_what_to_do(as_resident, meter):
    page = as_resident.get("/history").content.decode()
    assert "No readings in these days." in page
    # What nobody measured is unknown, not nothing.
    assert '<dt>Energy</dt><dd>– <span class="unit">kWh</span>' in page
    assert "You have not saved a reading yet." in as_resident.get("/history?show=saved").content.decode()


def test_days_in_the_wrong_order_are_explained(as_resident, meter):
    page = as_resident.get("/history?since=2026-11-23&until=2026-11-22").content.decode()
    assert "This day is before the first one." in page
    assert "Enter a valid date." in as_resident.get("/history?since=yesterday").content.decode()


def test_a_neighbours_readings_are_not_there(as_neighbour, readings):
    assert shown(as_neighbour.get("/history")) == []


def test_a_note_is_only_text(as_resident, meter):
    ReadingFactory(meter=meter, saved_at=BERLIN_NOON, taken_at=BERLIN_NOON, note="<script>alert(1)</script>")
    page = as_resident.get("/history").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("query", ["since=0001-01-01", "until=9999-12-31", "since=1969-12-31&until=3000-01-01"])
def test_days_outside_of_the_calendar_are_explained(as_resident, readings, query):
    response = as_resident.get(f"/history?{query}")
    assert response.status_code == 200
    assert response.context["form"].errors
    assert query.partition("=")[2].partition("&")[0] in response.content.decode()


def test_who_moved_out_begins_with_the_last_day(as_resident, tenancy, readings):
    tenancy.moved_out = dt.date(2026, 11, 23)
    tenancy.save()
    assert shown(as_resident.get("/history")) == [900]


def test_figures_of_a_day_stay_when_its_readings_are_gone(as_resident, meter):
    for minutes, current in ((0, 1), (1, 2), (20, 6)):
        taken_at = BERLIN_NOON - 14 * 24 * HOUR + minutes * HOUR / 60
        ReadingFactory(meter=meter, taken_at=taken_at, voltage=100, current=current)
    sum(derive_new())
    Reading.objects.all().delete()
    found = as_resident.get("/history?since=2026-11-09&until=2026-11-09").context["statistics"]
    assert found == {"average": 150, "maximum": 600, "at": None, "number": 3}
    curve = as_resident.get("/api/curve?since=2026-11-09&until=2026-11-09").json()
    assert (curve["step"], curve["low"], curve["mean"], curve["peak"]) == (900, [100, 600], [150, 600], [200, 600])


class TestBeside:
    """The way to the days before and after, and to more or fewer of them."""

    def links(self, client, query=""):
        found = client.get(f"/history{query}").context["beside"]
        return found and (found.before and found.before.query, found.shown.query, found.after and found.after.query)

    def test_of_today(self, as_resident, meter):
        yesterday, today = (f"since=2026-11-{day}&until=2026-11-{day}" for day in (22, 23))
        # Tomorrow is nothing to look at yet.
        assert self.links(as_resident) == (yesterday, today, None)

    def test_of_a_month(self, as_resident, meter):
        assert self.links(as_resident, "?since=2026-10-01&until=2026-10-31") == (
            "since=2026-09-01&until=2026-09-30", "since=2026-10-01&until=2026-10-31",
            "since=2026-11-01&until=2026-11-30",
        )  # fmt: skip

    def test_before_moving_in_and_after_moving_out_there_is_none(self, as_resident, meter, tenancy):
        tenancy.moved_in, tenancy.moved_out = dt.date(2026, 11, 10), dt.date(2026, 11, 12)
        tenancy.save()
        tenth, eleventh = (f"since=2026-11-{day}&until=2026-11-{day}" for day in (10, 11))
        assert self.links(as_resident) == (tenth, eleventh, None)
        assert self.links(as_resident, f"?{tenth}") == (None, tenth, eleventh)

    def test_the_kinds_lie_around_the_last_day_that_there_is(self, as_resident, meter):
        kinds = as_resident.get("/history?since=2026-11-01&until=2026-11-30").context["beside"].kinds
        assert [(name, stretch.query, shown) for name, stretch, shown in kinds] == [
            ("Day", "since=2026-11-23&until=2026-11-23", False),
            ("Week", "since=2026-11-23&until=2026-11-29", False),
            ("Month", "since=2026-11-01&until=2026-11-30", True),
            ("Year", "since=2026-01-01&until=2026-12-31", False),
        ]

    @pytest.mark.parametrize("query", ["?show=saved", "?since=2026-11-01", "?until=2026-11-01"])
    def test_without_both_ends_there_is_none(self, as_resident, meter, query):
        assert self.links(as_resident, query) is None


class TestEmpty:
    """Why there is nothing to see."""

    def page(self, client, query):
        return client.get(f"/history?{query}").content.decode()

    def test_readings_of_older_days_are_gone(self, as_resident, meter):
        ReadingFactory(meter=meter, taken_at=BERLIN_NOON - 14 * 24 * HOUR)
        ReadingFactory(meter=meter, taken_at=BERLIN_NOON - 14 * 24 * HOUR + HOUR / 60)
        sum(derive_new())
        Reading.objects.all().delete()
        page = self.page(as_resident, "since=2026-11-09&until=2026-11-09&voltage=1")
        assert "Single readings are kept for 7 days" in page
        assert "No readings in these days" not in page
        # What is left of them can be taken away.
        assert "what=readings" not in page
        assert "what=quarter-hours&amp;format=csv&amp;since=2026-11-09" in page
        # Of some of these days they are there.
        ReadingFactory(meter=meter, taken_at=BERLIN_NOON)
        page = self.page(as_resident, "since=2026-11-09&until=2026-11-23")
        assert "Single readings are kept for 7 days" in page
        assert "what=readings" in page
        assert "Single readings" not in self.page(as_resident, "since=2026-11-23&until=2026-11-23")

    def test_days_that_are_not_the_households(self, as_resident, tenancy, meter):
        tenancy.moved_in, tenancy.moved_out = dt.date(2026, 11, 10), dt.date(2026, 11, 12)
        tenancy.save()
        before = self.page(as_resident, "since=2026-11-09&until=2026-11-09")
        assert "You did not live here yet. Your time in this apartment began on 10 November 2026." in before
        after = self.page(as_resident, "since=2026-11-12&until=2026-11-12")
        assert "You did not live here in these days." in after
        for page in (before, after):
            assert "look whether the meter is live" not in page
            assert "/export" not in page

    def test_days_to_come(self, as_resident, meter):
        page = self.page(as_resident, "since=2026-11-24&until=2026-11-24")
        assert "This is still to come." in page
        assert "/export" not in page


class TestSaved:
    """Saved readings are few: they are shown of all time, unless somebody chose days."""

    def links(self, client, query):
        page = client.get(f"/history?{query}").content.decode()
        return [re.search(rf'href="\?([^"]*)">{name}</a>', page)[1].replace("&amp;", "&") for name in ("All", "Saved")]

    def test_the_links(self, as_resident, readings):
        today = "since=2026-11-23&until=2026-11-23"
        assert self.links(as_resident, "") == [today, "show=saved"]
        assert self.links(as_resident, "voltage=1") == [f"{today}&voltage=1", "show=saved&voltage=1"]
        assert self.links(as_resident, "show=saved") == ["", "show=saved"]
        assert self.links(as_resident, "show=saved&since=2026-11-22") == ["since=2026-11-22", "show=saved"]

    def test_none_in_these_days(self, as_resident, readings):
        page = as_resident.get("/history?show=saved&since=2026-11-22&until=2026-11-22").content.decode()
        assert "You have not saved a reading in these days." in page
        assert '<a href="?show=saved">Show all saved readings</a>' in page

    def test_other_days_keep_to_them(self, as_resident, readings):
        page = as_resident.get("/history?show=saved").content.decode()
        assert '<input type="hidden" name="show" value="saved">' in page
        assert "Average power" not in page
        assert 'name="show"' not in as_resident.get("/history").content.decode()


class TestStandingCharge:
    """It stands in the first hour of its day, and somebody who moved in has paid for it before the meter spoke."""

    @pytest.fixture(autouse=True)
    def tariff(self, building):
        TariffFactory(building=building, standing_charge="0.32", tax_rate="19")

    def test_it_is_said_of_sums(self, as_resident, meter):
        words = "of which standing charge €0.38"
        assert words in as_resident.get("/history").content.decode()
        assert words in as_resident.get("/").content.decode()
        assert "of which standing charge €8.76" in as_resident.get("/").content.decode()

    def test_it_is_said_below_the_bars(self, as_resident, meter):
        hours = as_resident.get("/history").content.decode()
        assert "Standing charges, €0.38 in all, are in the first hour of each day." in hours
        days = as_resident.get("/history?since=2026-11-01&until=2026-11-30").content.decode()
        assert "The costs include standing charges of €8.76." in days

    def test_one_of_several_meters_pays_none(self, as_resident, apartment, meter):
        MeterFactory(apartment=apartment, topic="house/other")
        ReadingFactory(meter=meter, taken_at=BERLIN_NOON)
        assert "tanding charge" not in as_resident.get(f"/history?meter={meter.pk}").content.decode()


def test_where_decimals_have_a_comma_it_says_how_files_are_opened(as_resident, meter):
    assert "In CSV files" not in as_resident.get("/history").content.decode()
    german = as_resident.get("/history", headers={"Accept-Language": "de"}).content.decode()
    assert "In CSV-Dateien" in german
