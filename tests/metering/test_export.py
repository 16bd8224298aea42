"""A household takes its figures away."""

import csv
import datetime as dt
import io
import json
import tracemalloc
import xml.etree.ElementTree as ET
from decimal import Decimal

import pytest
import time_machine

from accounts.access import Residence
from metering.export import tables
from metering.export.formats import as_csv, as_json
from metering.export.tables import QUARTER_COLUMNS, READING_COLUMNS, USAGE_COLUMNS, Table
from metering.loads import derive_new
from metering.models import Load, LoadProgress, Reading
from metering.models.load import quarter_of, quarter_start
from metering.periods import By, Period
from metering.usage import Subject, usage
from tests.factories import MeterFactory, TariffFactory, TenancyFactory
from tests.streams import whole

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
ESPI = "{http://naesb.org/espi}"


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def measured(building, meter, tenancy):
    """1000 W from 22 November 12:00 in Berlin until now."""
    TariffFactory(building=building, rates={"All": ("0.5", "")}, standing_charge="1")
    meter.serial = "=SUM(A1)"
    meter.save()
    begin = building.midnight(dt.date(2026, 11, 22)) + dt.timedelta(hours=12)
    Reading.objects.bulk_create(
        Reading(meter=meter, taken_at=begin + number * 5 * MINUTE, voltage=230, current=4, power=1000, note="a,b")
        for number in range((NOW - begin) // (5 * MINUTE))
    )
    sum(derive_new())
    return meter


def download(client, what, form, **dates):
    answer = client.get("/export", {"what": what, "format": form} | dates)
    assert answer.status_code == 200, answer.content
    return whole(answer), answer


def rows(client, what, **dates):
    body, answer = download(client, what, "csv", **dates)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].endswith(f'01-{what}.csv"')
    first, *others = csv.reader(io.StringIO(body.decode()))
    return first, others


class TestCsv:
    def test_readings(self, as_resident, measured):
        columns, found = rows(as_resident, "readings", since="2026-11-24", until="2026-11-24")
        assert tuple(columns) == READING_COLUMNS
        assert len(found) == 288
        # A spreadsheet must not take a serial number for a formula.
        assert found[0][:3] == ["2026-11-24T00:00:00+01:00", "'=SUM(A1)", "230.0"]

    def test_quarter_hours(self, as_resident, measured):
        columns, found = rows(as_resident, "quarter-hours", since="2026-11-24", until="2026-11-24")
        assert tuple(columns) == QUARTER_COLUMNS
        assert len(found) == 96
        assert found[-1][:6] == ["2026-11-24T23:45:00+01:00", "'=SUM(A1)", "250.0", "0.0", "0.0", "900"]

    def test_days_and_what_they_cost(self, as_resident, measured):
        columns, found = rows(as_resident, "days", since="2026-11-22")
        assert tuple(columns) == USAGE_COLUMNS
        assert [row[0][:10] for row in found] == ["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"]
        assert found[0][2:7] == ["12.0", "0.0", "0.0", "50.0", "0.0"]
        assert found[1][7:] == ["12", "1", "0", "13", "EUR"]

    def test_months(self, as_resident, measured):
        _, found = rows(as_resident, "months", since="2026-10-01")
        assert [row[0] for row in found] == ["2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"]

    def test_without_dates_it_is_all_of_ones_own(self, as_resident, measured):
        assert len(rows(as_resident, "quarter-hours")[1]) == Load.objects.count()


class TestQuarterHoursThatNobodyHasStoredYet:
    """They are downloaded as pages and API show them."""

    @pytest.fixture
    def behind(self, measured):
        """Housekeep ran fifty minutes ago. Since then the meter has given back, for the first time."""
        Reading.objects.filter(taken_at__gt=NOW - 50 * MINUTE).delete()
        Load.objects.all().delete()
        LoadProgress.objects.all().delete()
        sum(derive_new())
        Reading.objects.bulk_create(
            Reading(meter=measured, taken_at=NOW - number * 5 * MINUTE, voltage=230, current=4, power=-1000)
            for number in range(9)
        )
        return measured

    def test_as_a_table(self, as_resident, behind, tenancy):
        midnight = behind.building.midnight(dt.date(2026, 11, 25))
        (shown,) = usage(Subject.of_residence(Residence.of(tenancy)), midnight, NOW, now=NOW)
        _, found = rows(as_resident, "quarter-hours", since="2026-11-25")
        assert shown.exported > 500_000
        assert [round(1000 * sum(float(row[column]) for row in found)) for column in (2, 3)] == [
            shown.energy, shown.exported
        ]  # fmt: skip
        assert [row[0] for row in found] == sorted({row[0] for row in found})
        assert found[-1][0] == "2026-11-25T12:45:00+01:00"
        as_it_is = found
        sum(derive_new())
        assert rows(as_resident, "quarter-hours", since="2026-11-25")[1] == as_it_is

    def test_as_green_button(self, as_resident, behind):
        body, _ = download(as_resident, "quarter-hours", "xml")
        sum(derive_new())
        assert download(as_resident, "quarter-hours", "xml")[0] == body
        assert b"given to the grid" in body

    def test_not_after_moving_out(self, as_resident, behind, tenancy):
        tenancy.moved_out = dt.date(2026, 11, 25)
        tenancy.save()
        _, found = rows(as_resident, "quarter-hours")
        assert found[-1][0] == "2026-11-24T23:45:00+01:00"


class TestJson:
    def test_keys_have_units_and_money_is_exact(self, as_resident, measured):
        body, _ = download(as_resident, "days", "json", since="2026-11-23", until="2026-11-23")
        (day,) = json.loads(body)
        assert day["energy_kwh"] == 24
        assert day["measured_percent"] == 100
        assert (day["total"], day["currency"]) == ("13", "EUR")
        assert set(day) == {
            "from", "to", "energy_kwh", "exported_kwh", "bridged_kwh", "measured_percent", "without_a_price_kwh",
            "cost_of_energy", "standing_charge", "tax", "total", "currency",
        }  # fmt: skip

    def test_texts_are_as_they_were_written(self, as_resident, measured):
        body, _ = download(as_resident, "readings", "json", since="2026-11-25")
        assert {row["meter"] for row in json.loads(body)} == {"=SUM(A1)"}

    def test_of_nothing_it_is_an_empty_list(self, as_resident, measured):
        assert json.loads(download(as_resident, "readings", "json", until="2026-01-01")[0]) == []


class TestGreenButton:
    def test_energy_is_exact(self, as_resident, measured):
        body, answer = download(as_resident, "quarter-hours", "xml", since="2026-11-23", until="2026-11-24")
        assert answer["Content-Type"] == "application/atom+xml"
        found = list(ET.fromstring(body).iter(f"{ESPI}IntervalReading"))
        assert [int(reading.findtext(f"{ESPI}value")) for reading in found] == [250_000] * 192
        assert len(list(ET.fromstring(body).iter(f"{ESPI}UsagePoint"))) == 1

    def test_what_was_given_away_is_a_series_of_its_own(self, as_resident, measured):
        Load.objects.filter(meter=measured, quarter=quarter_of(NOW) - 50).update(exported=7)
        body, _ = download(as_resident, "quarter-hours", "xml")
        assert len(list(ET.fromstring(body).iter(f"{ESPI}UsagePoint"))) == 2


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"what": "days", "format": "xml"}, "Green Button is for quarter hours."),
        ({"what": "days"}, "format: This field is required."),
        ({"what": "secrets", "format": "csv"}, "what: Select a valid choice."),
        ({"what": "days", "format": "csv", "since": "yesterday"}, "since: Enter a valid date."),
        ({"what": "days", "format": "csv", "since": "2026-11-02", "until": "2026-11-01"}, "before the first one"),
    ],
)
def test_what_is_no_download(as_resident, query, problem):
    answer = as_resident.get("/export", query)
    assert answer.status_code == 400
    assert problem in answer.content.decode()


def test_other_peoples_time_is_in_none(as_resident, as_neighbour, building, apartment, measured, tenancy):
    tenancy.moved_in, tenancy.moved_out = dt.date(2026, 11, 23), dt.date(2026, 11, 24)
    tenancy.save()
    TenancyFactory(apartment=apartment, moved_in=dt.date(2026, 11, 24))
    for what in ("readings", "quarter-hours", "days"):
        for dates in ({}, {"since": "2026-11-20", "until": "2026-11-30"}):
            found = rows(as_resident, what, **dates)[1]
            assert {row[0][:10] for row in found} == {"2026-11-23"}, what
            assert not any("SUM" in cell for row in rows(as_neighbour, what, **dates)[1] for cell in row)
    body, _ = download(as_resident, "quarter-hours", "xml")
    assert len(list(ET.fromstring(body).iter(f"{ESPI}IntervalReading"))) == 96


@pytest.mark.parametrize("write", [as_csv, as_json])
def test_memory_does_not_grow_with_the_rows(write):
    def peak(number):
        tracemalloc.start()
        size = sum(map(len, write(Table(("a (W)", "b"), ((n, "text") for n in range(number))))))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size, most

    small, large = peak(4_000), peak(40_000)
    assert large[0] > 9 * small[0]
    assert large[1] < 1.2 * small[1] + 100_000


class TestSomebodyWhoCameBack:
    """They lived there up to 22 November and from the 24th on; the day between was somebody else's."""

    @pytest.fixture
    def residence(self, tenancy, measured, resident):
        tenancy.moved_out = dt.date(2026, 11, 23)
        tenancy.save()
        again = TenancyFactory(apartment=tenancy.apartment, moved_in=dt.date(2026, 11, 24))
        again.residents.add(resident)
        return Residence.of(again, tenancy)

    @pytest.mark.parametrize("size", [1, 7, 96, 144, 2000])
    def test_has_all_of_both_times_once(self, residence, measured, monkeypatch, size):
        monkeypatch.setattr(tables, "BATCH", size)
        period = Period(residence.since, NOW)
        taken = [row[0] for row in tables.readings(residence, period).rows]
        stored = Reading.objects.order_by("taken_at").values_list("taken_at", flat=True)
        assert taken == [instant for instant in stored if residence.covers(instant)]
        begun = [row[0] for row in tables.quarter_hours(residence, period).rows]
        quarters = Load.objects.order_by("quarter").values_list("quarter", flat=True)
        assert begun == [quarter_start(quarter) for quarter in quarters if residence.covers(quarter_start(quarter))]

    def test_is_told_nothing_of_the_time_between(self, residence, building):
        period = Period(building.midnight(dt.date(2026, 11, 22)), NOW)
        found = [row[0].date().day for row in tables.sums(residence, period, By.DAY).rows]
        assert found == [22, 24, 25]


def test_two_currencies_are_two_lines_and_the_energy_counts_once(building, meter, tenancy, measured):
    TariffFactory(building=building, valid_from=dt.date(2026, 11, 24), currency="CHF", rates={"All": ("0.2", "")})
    period = Period(building.midnight(dt.date(2026, 11, 23)), building.midnight(dt.date(2026, 11, 25)))
    found = list(tables.sums(Residence.of(tenancy), period, By.MONTH).rows)
    assert [row[2] for row in found] == [48.0, None]
    assert [(row[-1], row[-2]) for row in found] == [("EUR", Decimal(13)), ("CHF", Decimal("4.8"))]


def test_a_meter_that_was_replaced_is_in_it(as_resident, apartment, measured):
    measured.removed_at = NOW
    measured.save()
    MeterFactory(apartment=apartment, installed_at=NOW, serial="new")
    assert len(rows(as_resident, "quarter-hours")[1]) == Load.objects.count()
