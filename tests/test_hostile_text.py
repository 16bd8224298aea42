"""Text made to harm, in every field that a meter, an applicant, a resident or a manager can fill."""

import re
from html import unescape

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from accounts.models import AccessRecord, Building, Invitation, JoinRequest, User
from accounts.text import refuse_hidden
from metering.ingest.decoders import InvalidMessage
from metering.ingest.delivery import Refused
from metering.ingest.store import DatabaseStore
from metering.models import Meter, Reading, RejectedMessage
from tests.factories import (
    PASSWORD,
    ApartmentFactory,
    BuildingFactory,
    ListenerStateFactory,
    MeterFactory,
    ReadingFactory,
    TariffFactory,
    TenancyFactory,
    UserFactory,
)
from tests.fakes import NOON, delivery
from tests.walls import admin_table

pytestmark = pytest.mark.django_db

ADMIN = [label.replace(".", "/") for label in admin_table.ADMIN]
SCRIPT = "<script>alert(1)</script>"
QUOTED = '"><img src=x onerror=alert(1)>'
SHORT = "'\"><b onclick=a()>{{7*7}}%s%n"
FORMULA = "=cmd|'/C calc'!A0"
HIDDEN = [
    "\u202egnp.exe",
    "\u2066a\u2069",
    "a\u200bb",
    "\ufeffa",
    "\x1b[31mred",
    "a\x07",
    "a\u2028b",
    "a\nb",
    "\u061ca",
]
HARMLESS = ["Grünstraße 7 – Süd", "Küche 👨‍👩‍👧 60 °C", "بيت", "می‌خواهم", "{{7*7}} %s%n", FORMULA, SCRIPT]


class TestInert:
    """Written straight into the database, past every form, and shown on every page."""

    @pytest.fixture
    def person(self):
        return UserFactory(email=f'"{SCRIPT}"@example.org')

    @pytest.fixture
    def rows(self, person):
        building = BuildingFactory(slug=SHORT, name=f"{SCRIPT}{QUOTED}", currency="<b>")
        apartment = ApartmentFactory(building=building, number=SHORT, floor="<u>\"'")
        tenancy = TenancyFactory(apartment=apartment)
        tenancy.residents.add(person)
        building.managers.add(person)
        meter = MeterFactory(apartment=apartment, building=building, serial=f"{SCRIPT}{QUOTED}", topic=QUOTED)
        ReadingFactory(meter=meter, saved_at=timezone.now(), saved_by=person, note=f"{SCRIPT}{QUOTED}{{{{7*7}}}}")
        JoinRequest.objects.create(user=UserFactory(email=f'"{QUOTED}"@example.org'), apartment=apartment)
        Invitation(tenancy=tenancy, used_by=person).issue()
        looked = dict.fromkeys(("hour", "first_at", "last_at"), NOON)
        AccessRecord.objects.create(tenancy=tenancy, viewer=person, role="manager", what="list", **looked)
        ListenerStateFactory(name=f"{SCRIPT}{QUOTED}", rejected_by_reason={SCRIPT: 1})
        RejectedMessage.objects.create(
            received_at=NOON, topic=SCRIPT, building=building, payload=f"{SCRIPT}\u202e\x1b[1m".encode(), reason=QUOTED
        )
        TariffFactory(building=building, currency="<b>", rates={f"{SCRIPT}{QUOTED}"[:40]: ("1", "")})
        person.refresh_from_db()
        return building

    @pytest.fixture
    def client(self, person):
        client = Client()
        client.force_login(person)
        return client

    @staticmethod
    def check(response):
        page = response.content.decode()
        assert response.status_code == 200
        for raw in ("<script>alert", "<img src=x", "<b onclick", "<u>"):
            assert raw not in page
        assert "\u202e" not in page
        assert "\x1b" not in page
        return unescape(page)

    def test_on_a_residents_pages(self, client, rows):
        shown = self.check(client.get("/"))
        assert SHORT in shown
        assert rows.name in shown
        for path in ("/history?show=saved", "/account", "/account/access"):
            assert SCRIPT in self.check(client.get(path))
        assert "{{7*7}}" in self.check(client.get("/history?show=saved"))
        self.check(client.get("/history", {"since": QUOTED, "until": SCRIPT, "show": QUOTED, "sort": SCRIPT}))

    @pytest.mark.parametrize("name", ADMIN)
    @pytest.mark.parametrize("who", ["manager", "superuser"])
    def test_in_admin(self, name, who, client, person, rows):
        User.objects.filter(pk=person.pk).update(is_superuser=who == "superuser")
        page = client.get(f"/admin/{name}/")
        self.check(page)
        links = re.findall(rf'href="(/admin/{name}/(\d+)/)change/', page.content.decode())
        assert links
        for path in [path for path, _ in links]:
            self.check(client.get(f"{path}change/"))
            self.check(client.get(f"{path}history/"))
            if client.get(f"{path}delete/").status_code == 200:
                self.check(client.get(f"{path}delete/"))
        for _, key in links:
            answer = client.post(f"/admin/{name}/", {"action": "delete_selected", "_selected_action": key})
            if answer.status_code == 200:
                self.check(answer)

    def test_in_what_admin_answers(self, client, rows):
        page = client.post(
            f"/admin/accounts/building/{rows.pk}/change/",
            {"name": f"{SCRIPT}{FORMULA}", "timezone": "Europe/Berlin", "currency": "EUR"},
            follow=True,
        )
        assert f"{SCRIPT}{FORMULA}" in self.check(page)
        self.check(client.get(f"/admin/accounts/building/{rows.pk}/history/"))

    def test_in_a_form_that_is_shown_again(self, rows):
        fields = {"email": f"{QUOTED}{SCRIPT}", "password": QUOTED, "apartment": SCRIPT, "floor": QUOTED}
        for path in ("/login", "/register", "/password/reset"):
            self.check(Client().post(path, fields))
        self.check(Client().get("/login", {"next": f"/{QUOTED}"}))


class TestHidden:
    """What cannot be seen is refused where people would read it."""

    @pytest.mark.parametrize("text", HIDDEN)
    def test_it_is_refused_in_words(self, text):
        with pytest.raises(ValidationError, match=r"Remove the invisible character U\+[0-9A-F]{4}\."):
            refuse_hidden(text)

    @pytest.mark.parametrize("text", HARMLESS)
    def test_what_people_write_is_taken(self, text):
        refuse_hidden(text)

    @pytest.mark.parametrize("text", HIDDEN)
    def test_in_a_note(self, text, as_resident, meter):
        ReadingFactory(meter=meter)
        answer = as_resident.post("/api/save-reading", {"note": text}, content_type="application/json")
        assert answer.status_code == 422
        assert not Reading.objects.saved().exists()

    def test_half_a_character_in_a_note(self, as_resident, meter):
        ReadingFactory(meter=meter)
        body = r'{"note": "\ud800"}'
        assert as_resident.generic("POST", "/api/save-reading", body, "application/json").status_code == 422

    @pytest.mark.parametrize("text", HARMLESS)
    def test_a_note_is_kept_as_it_is(self, text, as_resident, meter):
        ReadingFactory(meter=meter)
        answer = as_resident.post("/api/save-reading", {"note": text}, content_type="application/json")
        assert answer.json()["note"] == text
        assert Reading.objects.get().note == text

    def test_in_a_buildings_name_and_a_meters_number(self, as_manager, building, meter):
        form = {"name": "a\u202eb", "timezone": "Europe/Berlin", "currency": "EUR"}
        page = as_manager.post(f"/admin/accounts/building/{building.pk}/change/", form).content.decode()
        assert "Remove the invisible character U+202E." in page
        form = {"serial": "a\u200bb", "decoder": "native", "installed_at_0": "2020-01-01", "installed_at_1": "00:00"}
        page = as_manager.post(f"/admin/metering/meter/{meter.pk}/change/", form).content.decode()
        assert "Remove the invisible character U+200B." in page
        assert Building.objects.get().name == "House by the Sea"
        assert Meter.objects.get().serial == ""

    def test_in_an_address(self, apartment):
        form = {"email": '"\x1b[31m"@example.org', "password": PASSWORD, "apartment": "101", "floor": "1"}
        assert "Remove the invisible character U+001B." in Client().post("/register", form).content.decode()
        assert not User.objects.exists()

    def test_in_what_a_meter_sends_it_is_shown(self, as_manager, building):
        message = delivery(topic="electricity/house/floor/\u202e\x1b", payload='{"a": "\u202e\u200b\x1b[2J"}'.encode())
        DatabaseStore("one", lambda: NOON).save([Refused(message, InvalidMessage("missing", f"{SCRIPT}\u202e"))])
        (row,) = RejectedMessage.objects.all()
        for path in ("", f"{row.pk}/change/"):
            page = as_manager.get(f"/admin/metering/rejectedmessage/{path}").content.decode()
            assert r"\u202e\u200b\x1b[2J" in page
            assert not set("\u202e\u200b\x1b") & set(page)


LONG = "x" * 10_000


class TestLong:
    """Too long is said in words, on a database that would cut it off as on one that would refuse it."""

    def test_in_a_note(self, as_resident, meter):
        ReadingFactory(meter=meter)
        answer = as_resident.post("/api/save-reading", {"note": LONG}, content_type="application/json")
        assert answer.status_code == 422
        assert "at most 120 characters" in answer.content.decode()

    @pytest.mark.parametrize("text", [LONG, f"{LONG}@example.org", f"a@{LONG}.org", "\0", "é" * 10_000])
    @pytest.mark.parametrize("path", ["/login", "/register", "/password/reset"])
    def test_at_the_door(self, path, text, apartment, settings):
        settings.ACCOUNT_RATE_LIMITS = False
        fields = {"email": text, "password": text, "apartment": text, "floor": text}
        for name in fields:
            honest = {"email": "a@example.org", "password": PASSWORD, "apartment": "101", "floor": "1"}
            answer = Client().post(path, honest | {name: text})
            assert answer.status_code in {200, 302}, name
            if name == "email":
                assert "invalid-feedback" in answer.content.decode() or "alert-danger" in answer.content.decode()

    def test_in_admin(self, as_manager, building, apartment, meter):
        forms = {
            f"accounts/building/{building.pk}": ("name", "timezone", "currency"),
            f"accounts/apartment/{apartment.pk}": ("number", "floor"),
            f"metering/meter/{meter.pk}": ("serial", "topic", "decoder", "installed_at_0", "installed_at_1"),
        }
        for path, fields in forms.items():
            for text in (LONG, "\0", "é" * 10_000):
                answer = as_manager.post(f"/admin/{path}/change/", dict.fromkeys(fields, text))
                assert answer.status_code == 200
                assert "errorlist" in answer.content.decode()
