"""Which language pages and mails are in."""

import datetime as dt
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import JoinRequest, User
from accounts.trace import forget_person
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


def language_of(answer):
    (language,) = re.findall(r'<html lang="(\w+)"', answer.content.decode())
    assert answer["Content-Language"] == language
    assert "Accept-Language" in answer["Vary"]
    return language


def choose(client, language, path="/login"):
    return client.post("/language", {"language": language, "next": path})


class TestPages:
    def test_a_visitor_gets_what_the_browser_asks_for_else_english(self):
        assert language_of(Client().get("/login", headers=GERMAN)) == "de"
        assert language_of(Client().get("/login")) == "en"
        assert language_of(Client().get("/login", headers={"Accept-Language": "tlh, nonsense;q=x"})) == "en"

    def test_what_a_visitor_chose_goes_before_it(self):
        client = Client()
        answer = choose(client, "en", "/register")
        assert (answer.status_code, answer["Location"]) == (302, "/register")
        cookie = client.cookies["language"]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        assert language_of(client.get("/register", headers=GERMAN)) == "en"

    def test_what_a_user_chose_goes_before_both(self, as_resident, resident):
        choose(as_resident, "en")
        assert language_of(as_resident.get("/account", headers=GERMAN)) == "en"
        assert as_resident.post("/account/language", {"language": "de"})["Location"] == "/account"
        assert language_of(as_resident.get("/account")) == "de"
        resident.refresh_from_db()
        assert resident.language == "de"

    def test_leaving_it_to_the_browser_forgets_what_the_visitor_chose(self, as_resident):
        choose(as_resident, "en")
        as_resident.post("/account/language", {"language": ""})
        assert language_of(as_resident.get("/account", headers=GERMAN)) == "de"

    def test_another_one_is_refused(self, as_resident, resident):
        answer = as_resident.post("/account/language", {"language": "tlh"})
        assert answer.status_code == 400
        assert "tlh is not one of the available choices" in answer.content.decode()
        resident.refresh_from_db()
        assert resident.language == ""

    def test_every_page_of_a_visitor_offers_it_without_a_script(self):
        client = Client(enforce_csrf_checks=True)
        page = client.get("/register?x=1").content.decode()
        assert 'name="next" value="/register?x=1"' in page
        choices = re.findall(r'name="language" value="(\w+)" lang="\w+" aria-pressed="(\w+)">(\w+)<', page)
        assert choices == [("de", "false", "Deutsch"), ("en", "true", "English")]
        assert choose(client, "de").status_code == 403
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        client.post("/language", {"language": "de", "csrfmiddlewaretoken": token})
        assert language_of(client.get("/login")) == "de"

    def test_the_menu_of_a_user_offers_it_and_comes_back(self, as_resident, resident):
        page = as_resident.get("/history?show=saved").content.decode()
        form = re.search(
            r'<form class="pick-one" method="post" action="/account/language">.*?</form>', page, re.DOTALL
        )[0]
        assert 'name="next" value="/history?show=saved"' in form
        assert re.findall(r'value="(\w+)" lang="\w+" aria-pressed="(\w+)"', form) == [("de", "false"), ("en", "true")]
        answer = as_resident.post("/account/language", {"language": "de", "next": "/history?show=saved"})
        assert answer["Location"] == "/history?show=saved"
        resident.refresh_from_db()
        assert resident.language == "de"

    @pytest.mark.parametrize("path", ["https://example.com/", "//example.com", "http://[", "javascript:x", ""])
    def test_a_users_choice_leads_nowhere_else(self, as_resident, path):
        assert as_resident.post("/account/language", {"language": "de", "next": path})["Location"] == "/account"

    @pytest.mark.parametrize("path", ["https://example.com/", "//example.com", "http://[", "javascript:x", "\0"])
    def test_it_leads_nowhere_else(self, path):
        assert choose(Client(), "de", path)["Location"] == "/"

    def test_errors_are_in_it_too(self, as_resident, resident):
        resident.language = "de"
        resident.save()
        assert language_of(as_resident.get("/nothing-here")) == "de"

    def test_programs_read_english(self, as_resident, resident):
        resident.language = "de"
        resident.save()
        assert as_resident.get("/api/power-data")["Content-Language"] == "en"
        docs = as_resident.get("/api/docs")
        assert docs["Content-Language"] == "en"
        # Around what is for programs stands what leads back.
        page = docs.content.decode()
        assert '<html lang="de"' in page
        assert ">Verlauf</a>" in page
        assert '<div class="api-docs" id="swagger-ui" lang="en"></div>' in page

    def test_the_account_of_somebody_who_chose_keeps_no_history_of_it(self, resident):
        resident.language = "de"
        resident.save()
        assert resident.history.count() == 1


class TestMails:
    def test_a_stranger_gets_the_language_of_the_page(self, apartment):
        given = {"email": "new@example.org", "password": PASSWORD, "apartment": "101", "floor": "1"}
        Client().post("/register", given, headers=GERMAN)
        assert JoinRequest.objects.count() == 1
        assert mail.outbox[0].subject == "[Riser] Bestätigen Sie Ihre Adresse"

    def test_a_user_gets_their_own(self, resident):
        resident.language = "de"
        resident.save()
        Client().post("/password/reset", {"email": resident.email})
        assert mail.outbox[0].subject == "[Riser] Passwort zurücksetzen"

    def test_whoever_caused_it(self, resident):
        boss = UserFactory(is_superuser=True, language="de")
        client = Client()
        client.force_login(boss)
        resident.language = "en"
        resident.save()
        change = {"usable_password": "true", "password1": "another horse 8", "password2": "another horse 8"}
        client.post(f"/admin/accounts/user/{resident.pk}/password/", change)
        assert "From: Riser's administration, " in mail.outbox[0].body

    def test_all_of_it_and_politely(self, resident):
        resident.language = "de"
        resident.save()
        client = Client()
        client.force_login(resident)
        change = {"oldpassword": PASSWORD, "password1": "another horse 8", "password2": "another horse 8"}
        client.post("/password", change)
        assert mail.outbox[0].subject == "[Riser] Passwort geändert"
        assert "Ihr Passwort wurde geändert." in mail.outbox[0].body
        assert "Waren Sie das? Dann ist nichts zu tun." in mail.outbox[0].body


class TestAdmin:
    """A manager who reads German, and what Django Admin keeps of what they do."""

    @pytest.fixture
    def german(self, as_manager, manager, monkeypatch):
        monkeypatch.setattr("accounts.history_words.AT_ONCE", dt.timedelta(0))
        manager.language = "de"
        manager.save()
        return as_manager

    def test_lists_dates_and_history_are_in_it(self, german, tenancy, resident):
        page = german.get("/admin/accounts/apartment/").content.decode()
        assert "Wohnung zur Änderung auswählen" in page
        assert "resident@example.org seit 01.01.2025" in page
        tenancy.moved_out = dt.date(2026, 5, 1)
        tenancy.save()
        page = german.get(f"/admin/accounts/tenancy/{tenancy.pk}/history/").content.decode()
        assert "<dt>Auszug</dt>" in page
        assert "<strong>Geändert</strong> durch ein Kommando auf dem Server" in page
        assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT[\d:.+]+">\d+\. \w+\.? \d{4}, \d\d:\d\d</time>', page)

    def test_a_german_date_is_understood_and_the_invitation_can_be_scanned(self, german, tenancy):
        until = (timezone.now() + dt.timedelta(days=3)).strftime("%d.%m.%Y")
        given = {"tenancy": tenancy.pk, "expires_at_0": until, "expires_at_1": "12:00"}
        page = german.post("/admin/accounts/invitation/add/", given).content.decode()
        assert "Wohnung 101" in page
        assert re.search(r'viewBox="0 0 \d+ \d+"', page)

    def test_what_it_notes_of_somebody_who_goes_is_forgotten_in_every_language(self, german, apartment):
        user = UserFactory(email="gone@example.org")
        asked = JoinRequest.objects.create(user=user, apartment=apartment)
        german.post("/admin/accounts/joinrequest/", {"action": "vouch", "_selected_action": asked.pk})
        assert LogEntry.objects.get().object_repr == "gone@example.org für house/101"
        forget_person(user)
        assert LogEntry.objects.get().object_repr == "an account that was deleted"

    def test_what_the_history_keeps_is_read_in_any_language(self, german, resident):
        User.history.bulk_history_create([resident], update=True, default_change_reason="Two-factor taken off")
        history = f"/admin/accounts/user/{resident.pk}/history/"
        assert "Zwei-Faktor-Anmeldung abgeschaltet" in german.get(history).content.decode()
