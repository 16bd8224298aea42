import re
import socket

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import JoinRequest
from tests.factories import PASSWORD, ApartmentFactory, TenancyFactory, UserFactory

WRONG = (
    "Email, password and apartment number do not fit together. Check all three. "
    "Just registered? First open the link in the mail we sent you."
)

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


def is_in(client):
    return get_user(client).is_authenticated


@pytest.fixture
def unconfirmed(apartment):
    user = UserFactory(email="unconfirmed@example.org")
    EmailAddress.objects.create(user=user, email=user.email, primary=True)
    JoinRequest.objects.create(user=user, apartment=apartment)


@pytest.fixture
def disabled(neighbour):
    neighbour.is_active = False
    neighbour.save()


@pytest.mark.parametrize(
    ("email", "password", "number"),
    [
        ("nobody@example.org", PASSWORD, ""),
        ("resident@example.org", "wrong horse 7", ""),
        ("resident@example.org", PASSWORD, "201"),
        ("neighbour@example.org", "wrong horse 7", ""),
        ("neighbour@example.org", PASSWORD, "101"),
        ("unconfirmed@example.org", PASSWORD, ""),
        ("unconfirmed@example.org", PASSWORD, "101"),
        ("unconfirmed@example.org", "wrong horse 7", ""),
    ],
)
def test_the_same_answer_and_the_same_work_for_whatever_was_wrong(
    resident, disabled, unconfirmed, hashed, email, password, number
):
    client, response = log_in(email, password, number)
    assert response.status_code == 200
    assert response.context["form"].errors == {"__all__": [WRONG]}
    assert hashed == [password]
    assert list(client.cookies) == ["csrftoken"]
    assert not is_in(client)


@pytest.mark.parametrize("number", ["", "999"])
def test_as_many_questions_to_the_database_whatever_was_wrong(resident, disabled, unconfirmed, number):
    tries = [(f"{name}@example.org", "wrong horse 7") for name in ("nobody", "resident", "neighbour", "unconfirmed")]
    tries += [("unconfirmed@example.org", PASSWORD)]
    tries += [("resident@example.org", PASSWORD)] if number else []
    counts = []
    for email, password in tries:
        with CaptureQueriesContext(connection) as asked:
            log_in(email, password, number)
        counts.append(len(asked))
    assert len(set(counts)) == 1, counts


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


def link_of(message):
    return re.search(r"http://127.0.0.1:8000(/password/reset/\S+-\S+)", message.body)[1]


def choose_password(client, email, password):
    """Through the mailbox; the link that was used."""
    client.post("/password/reset", {"email": email})
    link = link_of(mail.outbox[-1])
    form = client.get(link, follow=True)
    new = {"password1": password, "password2": password}
    assert client.post(form.context["action_url"], new).url == "/password/reset/done"
    return link


TAGGED = [f"resident+{number}@example.org" for number in range(8)]
WIDE = [f"resident@{'example'[:number]}{'ｅｘａｍｐｌｅ'[number:]}.org" for number in range(7)]


class TestPasswordReset:
    def test_a_link_comes_by_mail_and_works_once(self, resident):
        client = Client()
        link = choose_password(client, "Resident@example.org", "another horse 8")
        message, told = mail.outbox
        assert "Your Riser account resident@example.org was changed" in told.body
        assert message.to == ["resident@example.org"]
        assert is_in(log_in("resident@example.org", "another horse 8")[0])
        assert "used already" in Client().get(link, follow=True).content.decode()
        assert "used already" in client.get(link, follow=True).content.decode()

    def test_the_link_does_not_go_where_the_visitor_says(self, resident, settings):
        settings.ALLOWED_HOSTS = ["*"]
        Client().post("/password/reset", {"email": "resident@example.org"}, headers={"host": "evil.example.org"})
        assert link_of(mail.outbox[0])
        assert "evil" not in mail.outbox[0].body

    @pytest.mark.parametrize("email", ["resident@example.org", "neighbour@example.org", "nobody@example.org"])
    def test_the_page_and_the_work_tell_nothing(self, resident, disabled, hashed, email):
        client = Client()
        response = client.post("/password/reset", {"email": email})
        assert (response.status_code, response.url, response.content) == (302, "/password/reset/sent", b"")
        assert not client.cookies
        assert not hashed
        (message,) = mail.outbox
        assert message.to == [email]
        assert ("/password/reset/" in message.body) == (email == "resident@example.org")

    def test_it_ends_all_sessions(self, as_resident):
        other = Client()
        choose_password(other, "resident@example.org", "another horse 8")
        assert not is_in(as_resident)
        assert not is_in(other)

    def test_it_lifts_the_limit_on_log_ins(self, resident):
        for _ in range(5):
            log_in("resident@example.org", "wrong")
        choose_password(Client(), "resident@example.org", "another horse 8")
        assert is_in(log_in("resident@example.org", "another horse 8")[0])

    def test_it_confirms_the_address(self, unconfirmed):
        choose_password(Client(), "unconfirmed@example.org", "another horse 8")
        assert not is_in(log_in("unconfirmed@example.org")[0])
        assert is_in(log_in("unconfirmed@example.org", "another horse 8")[0])

    @pytest.mark.parametrize("addresses", [TAGGED, WIDE], ids=["tagged", "wide"])
    def test_nor_by_other_spellings_of_its_address(self, resident, addresses):
        for address in addresses:
            Client().post("/password/reset", {"email": address})
        assert len(mail.outbox) == 5

    @pytest.mark.parametrize("other", ["resident+{}@example.org", "resident+{}@x＠example.org"])
    def test_nobody_uses_up_what_the_owner_may_ask_for(self, resident, other):
        for number in range(8):
            Client().post("/password/reset", {"email": other.format(number)})
        mail.outbox.clear()
        Client().post("/password/reset", {"email": "resident@example.org"})
        assert link_of(mail.outbox[0])

    def test_no_mailbox_is_flooded(self, resident):
        statuses = [Client().post("/password/reset", {"email": "resident@example.org"}).status_code for _ in range(6)]
        assert statuses == [302] * 5 + [429]
        assert len(mail.outbox) == 5

    def test_without_a_mail_server_it_looks_the_same_and_the_log_says_so(self, resident, settings, caplog):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        response = Client().post("/password/reset", {"email": "resident@example.org"}, follow=True)
        assert "Look into your mail" in response.content.decode()
        assert "check EMAIL_URL" in caplog.text

    def test_a_mail_server_that_says_nothing_is_not_waited_for(self, resident, settings, caplog):
        assert 0 < settings.EMAIL_TIMEOUT <= 10
        with socket.create_server(("127.0.0.1", 0)) as silent:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
            settings.EMAIL_TIMEOUT = 0.2
            assert Client().post("/password/reset", {"email": "resident@example.org"}).status_code == 302
        assert "timed out" in caplog.text


class TestPasswordChange:
    NEW = {"oldpassword": PASSWORD, "password1": "another horse 8", "password2": "another horse 8"}

    def test_it_holds(self, as_resident):
        assert as_resident.post("/password", self.NEW).status_code == 302
        assert is_in(log_in("resident@example.org", "another horse 8")[0])

    def test_it_ends_all_other_sessions(self, as_resident):
        other, _ = log_in("resident@example.org")
        as_resident.post("/password", self.NEW)
        assert is_in(as_resident)
        assert not is_in(other)

    def test_it_takes_the_old_one(self, as_resident):
        other, _ = log_in("resident@example.org")
        assert as_resident.post("/password", self.NEW | {"oldpassword": "wrong horse 7"}).status_code == 200
        assert is_in(other)
