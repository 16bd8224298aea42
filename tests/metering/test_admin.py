import datetime as dt
import re

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.admin.readings import CappedPaginator
from metering.loads import derive_new
from metering.models import Meter, Reading, RejectedMessage
from metering.models.instant import EPOCH
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory, ReadingFactory
from tests.fakes import NOON

pytestmark = pytest.mark.django_db
FIVE_MINUTES = dt.timedelta(minutes=5)


@pytest.fixture
def foreign_meter():
    return MeterFactory(apartment=ApartmentFactory(building=BuildingFactory(slug="elsewhere"), number="777"))


def page_of(client, path):
    response = client.get(f"/admin/metering/{path}")
    assert response.status_code == 200
    return response.content.decode()


def test_readings_are_scoped_and_rounded(as_manager, meter, foreign_meter):
    own = ReadingFactory(meter=meter, voltage=231.25, current=0.1)
    foreign = ReadingFactory(meter=foreign_meter, voltage=219.75)
    page = page_of(as_manager, "reading/")
    assert "231.25" in page
    assert ">23.12<" in page or ">23.13<" in page
    assert "219.75" not in page
    assert "elsewhere" not in page
    assert as_manager.get(f"/admin/metering/reading/{own.pk}/change/").status_code == 200
    assert as_manager.get(f"/admin/metering/reading/{foreign.pk}/change/").status_code == 404
    assert "219.75" not in page_of(as_manager, f"reading/?meter={foreign_meter.pk}")


def test_readings_can_be_narrowed_down(as_manager, meter, neighbour_apartment):
    ReadingFactory(meter=meter, voltage=231.25, saved_at=NOON)
    ReadingFactory(meter=MeterFactory(apartment=neighbour_apartment), voltage=219.75)
    assert "219.75" not in page_of(as_manager, f"reading/?meter={meter.pk}")
    assert "219.75" not in page_of(as_manager, "reading/?saved=yes")
    assert "231.25" in page_of(as_manager, "reading/?saved=yes")


def test_the_readings_list_never_counts_or_sorts_the_whole_table(as_manager, meter):
    ReadingFactory(meter=meter)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page_of(as_manager, "reading/")
    asked = [query["sql"] for query in queries if 'FROM "metering_reading"' in query["sql"]]
    counting = [sql for sql in asked if "COUNT(" in sql]
    assert asked
    assert all("LIMIT 10001" in sql for sql in counting)


def test_a_list_that_is_not_counted_to_its_end_says_so(as_manager, meter, monkeypatch):
    times = [NOON + number * FIVE_MINUTES for number in range(1235)]
    Reading.objects.bulk_create(Reading(meter=meter, taken_at=at, voltage=1, current=1, power=1) for at in times)
    assert "1,235 readings" in page_of(as_manager, "reading/")
    monkeypatch.setattr(CappedPaginator, "MOST", 1234)
    assert "more than 1,234 readings" in page_of(as_manager, "reading/")
    german = as_manager.get("/admin/metering/reading/", headers={"accept-language": "de"}).content.decode()
    assert "mehr als 1.234 Messwerte" in german


def test_a_reading_is_called_by_its_meter_and_the_local_time(as_manager, meter):
    reading = ReadingFactory(meter=meter, taken_at=NOON, power=224.16208199999997, current=0.2)
    page = page_of(as_manager, f"reading/{reading.pk}/change/")
    assert page.count("house/101, 23 Nov 2026, 13:00:00") >= 2
    assert "224.16<" in page
    assert "224.162" not in page


def test_figures_of_a_column_have_as_many_decimals(as_manager, meter):
    ReadingFactory(meter=meter, current=0.2)
    assert ">0.20<" in page_of(as_manager, "reading/")


def test_the_list_of_meters_says_when_each_was_heard(as_manager, meter):
    ReadingFactory(meter=meter, taken_at=dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC))
    page = page_of(as_manager, "meter/")
    assert "electricity/house/floor/101" in page
    assert "23 Nov 2026, 09:00:00" in page


def test_refused_messages_are_inert_and_scoped(as_manager, building):
    rows = {"topic": "electricity/house/floor/101", "received_at": NOON, "reason": "The message is not JSON."}
    RejectedMessage.objects.create(**rows, building=building, payload=b"<script>alert(1)</script>\xff")
    RejectedMessage.objects.create(**rows, building=None, payload=b"unknown house")
    page = page_of(as_manager, "rejectedmessage/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\xff" in page
    assert "<script>alert(1)" not in page
    assert "unknown house" not in page


def test_a_meter_is_replaced_by_ending_one_and_adding_another(meter):
    second = Meter(building=meter.building, apartment=meter.apartment, installed_at=NOON)
    with pytest.raises(ValidationError, match="has a meter on its own topic already"):
        second.full_clean()
    meter.removed_at = NOON
    meter.save()
    second.full_clean()


def test_a_meter_without_an_apartment_needs_a_topic(building):
    with pytest.raises(ValidationError, match="needs a topic of its own"):
        Meter(building=building).full_clean()
    with pytest.raises(ValidationError, match="for subscriptions"):
        Meter(building=building, topic="a/#").full_clean()
    Meter(building=building, topic="house/main").full_clean()
    Meter(building=building, topic=f"electricity/{building.slug}/main").full_clean()


def test_a_meter_cannot_take_anothers_topic(building, apartment, foreign_meter, settings):
    foreign_meter.topic = "elsewhere/main"
    foreign_meter.save()
    installed = {"building": building, "apartment": apartment}
    for topic, words in {
        "electricity/elsewhere/floor/777": "belongs to an apartment",
        "elsewhere/main": "A meter of another building",
        "electricity/elsewhere/boiler": "in another building's name",
        settings.MQTT_TOPIC: "for subscriptions",
    }.items():
        with pytest.raises(ValidationError, match=words):
            Meter(**installed, topic=topic).full_clean()
    MeterFactory(apartment=apartment, topic="house/own", removed_at=NOON)
    with pytest.raises(ValidationError, match="in the same time"):
        Meter(**installed, topic="house/own", installed_at=NOON - dt.timedelta(hours=1)).full_clean()
    Meter(**installed, topic="house/own", installed_at=NOON).full_clean()


def test_an_apartment_of_another_building_is_refused(building, foreign_meter):
    with pytest.raises(ValidationError, match="in another building"):
        Meter(building=building, apartment=foreign_meter.apartment, topic="x").full_clean()


def test_a_meter_keeps_its_apartment(as_manager, meter, neighbour_apartment):
    form = {"apartment": neighbour_apartment.pk, "serial": "7", "decoder": "native", "topic": "house/own",
            "installed_at_0": "2026-01-01", "installed_at_1": "00:00:00"}  # fmt: skip
    assert as_manager.post(f"/admin/metering/meter/{meter.pk}/change/", form).status_code == 302
    meter.refresh_from_db()
    assert (meter.apartment.number, meter.serial) == ("101", "7")


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
def test_a_meter_was_installed_at_a_sensible_time(as_manager, meter, date):
    form = {"decoder": "native", "topic": "", "installed_at_0": date, "installed_at_1": "00:00:00"}
    response = as_manager.post(f"/admin/metering/meter/{meter.pk}/change/", form)
    assert response.status_code == 200
    assert "installed_at" in response.context["adminform"].form.errors


def test_one_odd_instant_stops_no_page(as_manager, as_resident, meter):
    ReadingFactory(meter=meter)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("UPDATE metering_meter SET installed_at = %s", [-62_135_600_000_000_000])
    page_of(as_manager, "meter/")
    assert as_resident.get("/").status_code == 200


@pytest.mark.parametrize("value", ["²", "9" * 40, "nonsense", "-1"])
def test_a_meter_that_does_not_exist_narrows_nothing_down(as_manager, meter, value):
    ReadingFactory(meter=meter, voltage=231.25)
    assert "231.25" in page_of(as_manager, f"reading/?meter={value}")


def test_a_meter_that_was_replaced_is_not_put_back_beside_its_successor(as_manager, apartment, meter):
    old = MeterFactory(apartment=apartment, removed_at=NOON)
    form = {"decoder": "native", "topic": "", "serial": "", "installed_at_0": "2020-01-01", "installed_at_1": "12:00"}
    answer = as_manager.post(f"/admin/metering/meter/{old.pk}/change/", form)
    assert answer.status_code == 200
    assert "This apartment has a meter on its own topic already." in answer.content.decode()


def test_a_second_meter_on_one_topic_is_refused_once(as_manager, meter):
    form = {"building": meter.building_id, "apartment": meter.apartment_id, "decoder": "native", "topic": "",
            "serial": "", "installed_at_0": "2026-01-01", "installed_at_1": "12:00"}  # fmt: skip
    page = as_manager.post("/admin/metering/meter/add/", form).content.decode()
    assert page.count("This apartment has a meter on its own topic already.") == 1


def meter_form(client, meter):
    return client.get(f"/admin/metering/meter/{meter.pk}/change/").context["adminform"].form


def save_meter(client, meter, date, time=""):
    form = {"decoder": "native", "topic": "", "serial": "7", "installed_at_0": date, "installed_at_1": time}
    return client.post(f"/admin/metering/meter/{meter.pk}/change/", form)


class TestAMeterThatWasThereFromTheBeginning:
    def test_says_so(self, as_manager, meter):
        pages = (
            "metering/meter/",
            f"metering/meter/{meter.pk}/change/",
            f"accounts/apartment/{meter.apartment_id}/change/",
        )
        for path in pages:
            page = as_manager.get(f"/admin/{path}").content.decode()
            assert "from the beginning" in page, path
            assert "1970" not in page, path

    def test_stays_so_when_something_else_is_changed(self, as_manager, meter):
        assert meter_form(as_manager, meter)["installed_at"].value() is None
        assert save_meter(as_manager, meter, "").status_code == 302
        meter.refresh_from_db()
        assert (meter.serial, meter.installed_at) == ("7", EPOCH)
        assert meter.history.first().installed_at == EPOCH

    def test_may_get_a_date(self, as_manager, meter):
        assert save_meter(as_manager, meter, "2026-01-01", "00:00:00").status_code == 302
        meter.refresh_from_db()
        assert meter.installed_at == dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)

    def test_and_one_with_a_date_keeps_it(self, as_manager, apartment):
        """Else a successor would take its predecessor's readings."""
        successor = MeterFactory(apartment=apartment, installed_at=NOON)
        assert save_meter(as_manager, successor, "").status_code == 200
        successor.refresh_from_db()
        assert successor.installed_at == NOON

    def test_a_new_one_has_a_date(self, as_manager, apartment):
        form = as_manager.get("/admin/metering/meter/add/").context["adminform"].form
        assert form["installed_at"].value() is not None
        new = {"building": apartment.building_id, "apartment": apartment.pk, "decoder": "native", "topic": "",
               "installed_at_0": "", "installed_at_1": ""}  # fmt: skip
        assert as_manager.post("/admin/metering/meter/add/", new).status_code == 200
        assert not Meter.objects.exists()


class TestTheEnergyOfABuilding:
    """Nothing leads to time to come."""

    @pytest.fixture(autouse=True)
    def now(self):
        # December has begun where the house stands.
        with time_machine.travel(dt.datetime(2026, 11, 30, 23, 30, tzinfo=dt.UTC), tick=False):
            yield

    @staticmethod
    def links(client, building, query=""):
        page = client.get(f"/admin/accounts/building/{building.pk}/energy/{query}").content.decode()
        return set(re.findall(r'href="\?year=(\d+(?:&month=\d+)?)"', page.replace("&amp;", "&")))

    def test_this_month_is_the_last(self, as_manager, apartment):
        assert self.links(as_manager, apartment.building) == {"2026&month=11", "2026"}

    def test_one_before_leads_back_to_it(self, as_manager, apartment):
        assert "2026&month=12" in self.links(as_manager, apartment.building, "?year=2026&month=11")

    def test_of_this_year_the_months_that_have_begun(self, as_manager, apartment):
        months = {f"2026&month={number}" for number in range(1, 13)}
        assert self.links(as_manager, apartment.building, "?year=2026") == months | {"2025"}
        with time_machine.travel(NOON, tick=False):
            assert self.links(as_manager, apartment.building, "?year=2026") == months - {"2026&month=12"} | {"2025"}

    def test_what_an_address_asks_of_time_to_come_is_this_month(self, as_manager, apartment):
        for query in ("?year=2027", "?year=2027&month=1"):
            assert self.links(as_manager, apartment.building, query) == {"2026&month=11", "2026"}

    def test_all_together_is_as_unknown_and_as_unsure_as_its_rows(self, as_manager, meter):
        """Nothing of October, a part of November; so of the year as well."""
        begin = meter.building.midnight(dt.date(2026, 11, 20))
        Reading.objects.bulk_create(
            Reading(meter=meter, taken_at=begin + number * FIVE_MINUTES, voltage=230, current=1, power=1000)
            for number in range(289)
        )
        sum(derive_new())
        page = as_manager.get(f"/admin/accounts/building/{meter.building_id}/energy/?year=2026").content.decode()
        row, foot = (re.findall(r"<td.*?</td>", page[page.index(part) :]) for part in ("<tbody>", "<tfoot>"))
        assert row[:14] == foot
        assert foot[9] == '<td class="number">–</td>'
        assert foot[10] == '<td class="number unsure" title="3 % measured">24.0</td>'
        assert foot[12].startswith('<td class="number unsure"')
