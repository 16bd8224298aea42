"""What residents and managers see of their electricity, in German."""

import datetime as dt
import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.utils import timezone, translation

from accounts.access import Residence
from metering import figures
from metering.history.bars import bars
from metering.history.stretch import around
from metering.house.comparison import compare
from metering.loads import derive_new
from metering.models import Rate, Reading, Tariff
from metering.overview import Projection
from metering.periods import By
from metering.usage import Cost, Subject, usage
from metering.week import ALL_WEEK, describe, parse_hours
from tests.factories import ListenerStateFactory

GERMAN = {"Accept-Language": "de"}
ENGLISH = re.compile(
    r"\b(the|and|of|to|with|this|your|you|no|from|at|today|yesterday|energy|power|voltage|current|readings?|saved?|day"
    r"|measured|highest|cost|show|days|hours?|month|listener|apartment|page|next|december|october|home)\b",
    re.IGNORECASE,
)
# 13:20 in Berlin.
NOW = dt.datetime(2026, 11, 25, 12, 20, tzinfo=dt.UTC)


class Words(HTMLParser):
    """What is written on a page, or heard, or left to its scripts to say."""

    def __init__(self, page):
        super().__init__()
        self.found, self.inside = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.found += [
            value
            for name, value in attrs
            if value and (name in {"title", "aria-label", "placeholder"} or (name.startswith("data-") and " " in value))
        ]

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in {"script", "style"}:
            self.found.append(data)


def content(client, path):
    return client.get(path, headers=GERMAN).content.decode()


def german(page):
    """Its text, of which no word is English."""
    text = " ".join(" ".join(Words(page).found).split())
    # A name, what scripts fill in, and a topic stay as they are.
    said = re.sub(r"House by the Sea|\{\w+\}|house/floor/101", "", text)
    assert ENGLISH.findall(said) == []
    return text


@pytest.fixture
def measured(time_machine, building, meter, tenancy):
    """A tariff, and a reading every minute of the last day and a half."""
    time_machine.move_to(NOW, tick=False)
    tariff = Tariff.objects.create(
        building=building, valid_from=dt.date(2026, 1, 1), currency="EUR", standing_charge=Decimal("0.5"), applied=True
    )
    Rate.objects.create(tariff=tariff, name="Strom", price=Decimal("0.30"))
    Reading.objects.bulk_create(
        Reading(meter=meter, taken_at=NOW - number * dt.timedelta(minutes=1), voltage=230, current=10.5, power=2415.5)
        for number in range(36 * 60)
    )
    sum(derive_new())
    return meter


@pytest.mark.django_db
class TestPages:
    def test_the_dashboard(self, as_resident, measured):
        page = content(as_resident, "/")
        text = german(page)
        assert "Wohnung 101 Stockwerk 1" in text
        assert "Leistung 2415,5 W" in text
        assert re.search(r"Höchstwert: 2415,5 W, \d\d:\d\d Uhr", text)
        assert "Gemessen 25. Nov. 2026, 13:20:00" in text
        assert re.search(r"Heute bisher 32,\d kWh 10,\d\d\s€", text)
        assert 'data-power="2415.5"' in page

    def test_a_listener_that_is_silent(self, as_resident, measured, time_machine):
        time_machine.move_to(NOW + dt.timedelta(days=2, hours=1))
        text = german(content(as_resident, "/"))
        assert "Gemessen 25. Nov. 2026, 13:20:00" in text
        assert "Letzter Stand: 25. Nov. 2026, 13:20:00. Den Grund sieht Ihre Hausverwaltung." in text

    def test_a_meter_that_is_silent(self, as_resident, measured, time_machine):
        time_machine.move_to(NOW + dt.timedelta(minutes=12))
        ListenerStateFactory(broker_connected=True, heartbeat_at=timezone.now())
        text = german(content(as_resident, "/"))
        assert "Zähler schon 12 Minuten stumm: zuletzt 2,4 kW (13:20 Uhr)" in text
        for word in ("Aufzeichnung bereit", "Empfang steht", "Zähler stumm"):
            assert word in text

    def test_a_day(self, as_resident, measured):
        page = content(as_resident, "/history?since=2026-11-25&until=2026-11-25")
        text = german(page)
        assert "Mi, 25. November 2026" in text
        assert "25. Nov., 00:00" in text
        assert re.search(r"Mittlere Leistung 241\d,\d+ W", text)
        assert '<time datetime="2026-11-25T13:20:00+01:00"><span>25. Nov. 2026</span>' in page
        assert 'name="since" value="2026-11-25"' in page

    def test_a_month(self, as_resident, measured):
        page = content(as_resident, "/history?since=2026-11-01&until=2026-11-30&voltage=on")
        text = german(page)
        assert "November 2026" in text
        assert re.search(r"Di, 24. Nov.: 5\d,\d kWh, 1\d,\d\d\s€", text)
        assert 'data-low="207" data-high="253"' in page
        assert "% dieser Zeit wurden gemessen." in text

    def test_numbers_in_a_picture_have_points(self, building, measured, tenancy):
        days = [building.midnight(dt.date(2026, 11, day)) for day in (24, 26)]
        found = usage(Subject.of_residence(Residence.of(tenancy)), *days, By.DAY)
        with translation.override("de"):
            drawn = bars(found, building, By.DAY).rectangles
        assert re.search(r' y="[\d.]+" width="8.5" height="\d+\.\d+"', drawn)
        assert not re.search(r' (x|y|width|height)="[\d.]*,', drawn)

    @pytest.mark.parametrize("span", ["", "?year=2026"])
    def test_energy_of_a_building(self, as_manager, building, measured, span):
        page = content(as_manager, f"/admin/accounts/building/{building.pk}/energy/{span}")
        text = german(page[page.index("<main") :])
        assert "Wohnung" in text
        assert re.search(r"86,9 \d+,\d\d\s€", text)
        assert ("‹ 2025" if span else "‹ Oktober 2026") in text

    @pytest.mark.parametrize("path", ["meter", "reading", "rejectedmessage", "listenerstate", "tariff", "tariff/add"])
    def test_lists_of_a_manager(self, as_manager, measured, path):
        page = content(as_manager, f"/admin/metering/{path}/")
        assert german(page[page.index("<main") :])


@pytest.mark.django_db
def test_the_reason_for_no_comparison(tenancy, time_machine):
    time_machine.move_to(NOW)
    with translation.override("de"):
        reason = compare(Residence.of(tenancy), NOW.date()).reason
    assert reason == "Dafür braucht es Messwerte von Ihnen aus fast der ganzen Zeit"


@pytest.mark.parametrize(
    ("language", "figure", "energy", "watts", "money", "francs", "prices"),
    [
        ("en", "1507.15", "1,204 kWh, €1,234.50", "1.2 kW", "€12.30", "12.30 CHF", ["€0.30", "0.284 CHF"]),
        ("de", "1507,15", "1.204 kWh, 1.234,50\N{NO-BREAK SPACE}€", "1,2 kW", "12,30\N{NO-BREAK SPACE}€",
         "12,30\N{NO-BREAK SPACE}CHF", ["0,30\N{NO-BREAK SPACE}€", "0,284\N{NO-BREAK SPACE}CHF"]),
    ],
)  # fmt: skip
def test_figures(language, figure, energy, watts, money, francs, prices):
    worth = Projection(1_204_000_000, [Cost("EUR", energy=Decimal("1234.5"))], days=1, remaining=1)
    with translation.override(language):
        assert figures.figure(1507.15) == figure
        assert figures.energy_and_costs(worth) == energy
        assert figures.whole_watts(1204) == watts
        assert figures.amount(Decimal("12.3"), "EUR") == money
        assert figures.amount(Decimal("12.3"), "CHF") == francs
        assert [figures.price(Decimal("0.300000"), "EUR"), figures.price(Decimal("0.284"), "CHF")] == prices


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (0, "0 seconds", "0 Sekunden"),
        (1.9, "1 second", "1 Sekunde"),
        (120, "2 minutes", "2 Minuten"),
        (3600, "1 hour", "1 Stunde"),
        (2 * 86_400, "2 days", "2 Tage"),
    ],
)
def test_one_and_many(seconds, english, german):
    assert figures.duration(seconds) == english
    with translation.override("de"):
        assert figures.duration(seconds) == german


@pytest.mark.parametrize(
    ("by", "title"),
    [(By.DAY, "Mi, 25. November 2026"), (By.WEEK, "23. bis 29. November 2026"), (By.MONTH, "November 2026")],
)
def test_titles_of_days(by, title):
    with translation.override("de"):
        assert around(by, NOW.date()).title == title


@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
def test_hours_are_understood_as_they_are_written_whoever_reads_them(language):
    hours = parse_hours("Mon 06:00-22:00, Tue-Sat 00:00-01:00, Sun 23:00-24:00")
    with translation.override(language):
        written = describe(hours)
    assert parse_hours(written) == hours


def test_hours_in_german():
    assert parse_hours("Mo-Fr 06:00-22:00, Samstag 07:00-13:00") == parse_hours("Mon-Fri 06:00-22:00, Sat 07:00-13:00")
    with translation.override("de"):
        assert describe(ALL_WEEK) == "Mo-So 00:00-24:00"
        with pytest.raises(ValueError, match=r"„Foo“ ist kein Tag\. Tage sind Mo, Di, Mi, Do, Fr, Sa, So\."):
            parse_hours("Foo 06:00-22:00")
