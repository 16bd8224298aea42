import re

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.test import Client

from accounts.models import JoinRequest
from tests.factories import PASSWORD, ApartmentFactory, TenancyFactory, UserFactory

WRONG = "Email, password and apartment number do not fit together. Check all three."

pytestmark = pytest.mark.django_db


def log_in(email, password=PASSWORD, apartment="", client=None):
    client = client or Client()
    response = client.post("/login", {"email": email, "password": password, "apartment": apartment})
    return client, response


@pytest.mark.parametrize("number", ["", "101"])
def test_with_email_password_and_apartment(resident, number):
    client, response = log_in("Resident@Example.org", apartment=number)
    assert (response.status_code, response.url) == (302, "/")
    assert get_user(client) == resident


@pytest.mark.parametrize(
    ("email", "password", "number"),
    [
        ("resident@example.org", "wrong horse 7", ""),
        ("nobody@example.org", PASSWORD, ""),
        ("resident@example.org", PASSWORD, "201"),
        ("resident@example.org", PASSWORD, "999"),
    ],
)
def test_one_sentence_for_whatever_was_wrong(resident, neighbour, email, password, number):
    client, response = log_in(email, password, number)
    assert response.status_code == 200
    assert response.context["form"].non_field_errors() == [WRONG]
    assert not get_user(client).is_authenticated


def test_an_account_with_several_apartments_names_one(resident):
    other = ApartmentFactory(number="301")
    TenancyFactory(apartment=other).residents.add(resident)
    _, response = log_in("resident@example.org")
    assert response.context["form"].non_field_errors()[0].startswith("You have several apartments. Give the number")
    for number in ("101", "301"):
        client, response = log_in("resident@example.org", apartment=number)
        assert client.get("/api/power-data").json()["apartment"] == number


def test_the_same_number_in_two_buildings(resident):
    other = ApartmentFactory(number="101", floor="9")
    TenancyFactory(apartment=other).residents.add(resident)
    assert log_in("resident@example.org", apartment="101")[1].status_code == 200
    for name, floor in ((f"{other.building.slug}/101", "9"), ("HOUSE/101", "1")):
        client, _ = log_in("resident@example.org", apartment=name)
        assert client.get("/api/power-data").json()["floor"] == floor


def test_a_refused_request_is_no_apartment(resident, neighbour_apartment, manager):
    JoinRequest.objects.create(user=resident, apartment=neighbour_apartment).refuse(manager)
    assert log_in("resident@example.org")[1].status_code == 302


def test_a_manager_without_an_apartment_goes_to_the_building(manager):
    client, _ = log_in("manager@example.org")
    assert client.get("/").url == "/admin/"


def test_who_waits_may_log_in_and_sees_that(apartment):
    JoinRequest.objects.create(user=UserFactory(email="new@example.org"), apartment=apartment)
    client, response = log_in("new@example.org", apartment="101")
    assert response.status_code == 302
    assert "Waiting for your manager" in client.get("/").content.decode()


def test_a_switched_off_account_stays_out(resident):
    resident.is_active = False
    resident.save()
    client, _ = log_in("resident@example.org")
    assert not get_user(client).is_authenticated


def test_too_many_attempts_are_stopped(resident):
    for _ in range(5):
        log_in("resident@example.org", "wrong")
    _, response = log_in("resident@example.org")
    assert "Too many failed log-ins" in response.content.decode()


class TestLogout:
    def test_a_post_ends_the_session(self, as_resident):
        assert as_resident.post("/logout").url == "/login"
        assert not get_user(as_resident).is_authenticated

    @pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin"}, {"referer": "http://testserver/history"}])
    def test_a_get_from_our_own_page_does_too(self, as_resident, headers):
        assert as_resident.get("/logout", headers=headers).status_code == 302
        assert not get_user(as_resident).is_authenticated

    @pytest.mark.parametrize(
        "headers",
        [{}, {"sec-fetch-site": "cross-site"}, {"referer": "http://evil.example.org/"},
         {"sec-fetch-site": "cross-site", "referer": "http://testserver/"}],
    )  # fmt: skip
    def test_a_get_from_elsewhere_asks_first(self, as_resident, headers):
        assert "Log out?" in as_resident.get("/logout", headers=headers).content.decode()
        assert get_user(as_resident).is_authenticated


class TestPasswordReset:
    def test_a_link_comes_by_mail_and_works_once(self, resident):
        client = Client()
        assert client.post("/password/reset", {"email": "Resident@example.org"}).status_code == 302
        (message,) = mail.outbox
        assert message.to == ["resident@example.org"]
        link = re.search(r"http://testserver(\S+)", message.body)[1]
        form = client.get(link, follow=True)
        action = form.context["action_url"]
        new = {"password1": "another horse 8", "password2": "another horse 8"}
        assert client.post(action, new).status_code == 302
        assert log_in("resident@example.org", "another horse 8")[1].status_code == 302
        assert "used already" in Client().get(link, follow=True).content.decode()

    def test_without_a_mail_server_it_looks_the_same_and_the_log_says_so(self, resident, settings, caplog):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        response = Client().post("/password/reset", {"email": "resident@example.org"}, follow=True)
        assert "Look into your mail" in response.content.decode()
        assert "check EMAIL_URL" in caplog.text

    def test_an_unknown_address_looks_the_same_and_gets_nothing(self):
        response = Client().post("/password/reset", {"email": "nobody@example.org"}, follow=True)
        assert "Look into your mail" in response.content.decode()
        assert mail.outbox == []

    def test_changing_it_while_logged_in(self, as_resident):
        new = {"oldpassword": PASSWORD, "password1": "another horse 8", "password2": "another horse 8"}
        assert as_resident.post("/password", new).status_code == 302
        assert log_in("resident@example.org", "another horse 8")[1].status_code == 302
