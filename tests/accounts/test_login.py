import datetime as dt
import http.cookiejar
import itertools
import re
import socket
import urllib.parse
import urllib.request

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import JoinRequest
from tests.broker import free_port
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


class TestTooMany:
    TOO_MANY = "Too many failed log-ins"

    def guess(self, times, email="resident@example.org", password="wrong", apartment="", **headers):
        """As somebody who has not been here before; the last answer."""
        for _ in range(times):
            response = Client(**headers).post("/login", {"email": email, "password": password, "apartment": apartment})
        return response.content.decode()

    def test_are_stopped_before_the_password_is_looked_at(self, resident, hashed):
        assert WRONG in self.guess(5)
        hashed.clear()
        assert self.TOO_MANY in self.guess(1, password=PASSWORD)
        assert not hashed

    def test_of_an_unknown_address_as_well(self):
        assert WRONG in self.guess(5, "nobody@example.org")
        assert self.TOO_MANY in self.guess(1, "nobody@example.org")

    def test_with_the_right_password_and_a_wrong_apartment_count(self, resident):
        assert WRONG in self.guess(5, password=PASSWORD, apartment="999")
        assert self.TOO_MANY in self.guess(1, password=PASSWORD, apartment="101")

    def test_log_ins_that_succeed_do_not_count(self, resident):
        for _ in range(12):
            assert is_in(log_in("resident@example.org")[0])

    def test_for_one_account_whatever_host_and_proxy_the_visitor_names(self, resident):
        for n in range(5):
            self.guess(1, HTTP_HOST=f"localhost:{n + 1}", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}")
        assert self.TOO_MANY in self.guess(1, HTTP_HOST="127.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.9")

    def test_from_one_address_whatever_proxy_the_visitor_names(self):
        here = {"REMOTE_ADDR": "192.0.2.1"}
        for n in range(10):
            assert WRONG in self.guess(1, f"n{n}@example.org", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}", **here)
        assert self.TOO_MANY in self.guess(1, "other@example.org", HTTP_X_REAL_IP="192.0.2.77", **here)
        assert WRONG in self.guess(1, "other@example.org", REMOTE_ADDR="192.0.2.2")

    def test_end_after_five_minutes(self, resident):
        self.guess(5)
        with time_machine.travel(timezone.now() + dt.timedelta(minutes=5, seconds=1)):
            assert is_in(log_in("resident@example.org")[0])


class TestDevice:
    """A browser that the account has logged in from; it logs out, and somebody elsewhere goes on guessing."""

    @pytest.fixture
    def own(self, resident):
        client, _ = log_in("resident@example.org")
        client.post("/logout")
        assert not is_in(client)
        return client

    @pytest.fixture
    def attacked(self, own):
        for _ in range(5):
            log_in("resident@example.org", "wrong", client=Client(REMOTE_ADDR="192.0.2.1"))
        assert not is_in(log_in("resident@example.org")[0])

    def test_its_owner_gets_in_all_the_same(self, own, attacked):
        log_in("resident@example.org", client=own)
        assert is_in(own)

    def test_whoever_shares_the_address_does_not_lock_it_out(self, own):
        for n in range(12):
            _, response = log_in(f"n{n}@example.org", "wrong")
        assert "Too many failed log-ins" in response.content.decode()
        log_in("resident@example.org", client=own)
        assert is_in(own)

    def test_too_many_wrong_ones_are_stopped_there_too(self, own):
        for _ in range(5):
            log_in("resident@example.org", "wrong", client=own)
        _, response = log_in("resident@example.org", client=own)
        assert "Too many failed log-ins" in response.content.decode()
        assert is_in(log_in("resident@example.org")[0])

    def test_it_is_worth_nothing_for_another_account(self, own, attacked, neighbour):
        client, _ = log_in("neighbour@example.org")
        assert "device" in client.cookies
        client.post("/logout")
        log_in("resident@example.org", client=client)
        assert not is_in(client)

    def test_nobody_makes_one(self, own, attacked):
        value = own.cookies["device"].value
        for forged in ("", "x", value[1:], f"x{value}", value[:-1]):
            client = Client()
            client.cookies["device"] = forged
            log_in("resident@example.org", client=client)
            assert not is_in(client)

    def test_it_is_forgotten_after_a_year(self, own, resident):
        with time_machine.travel(timezone.now() + dt.timedelta(days=366)):
            for _ in range(5):
                log_in("resident@example.org", "wrong")
            log_in("resident@example.org", client=own)
            assert not is_in(own)

    def test_the_cookie_is_for_us_alone_and_names_nobody(self, own, settings):
        cookie = own.cookies["device"]
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 365 * 86400)
        assert "resident" not in cookie.value
        settings.SESSION_COOKIE_SECURE = True
        assert log_in("resident@example.org")[0].cookies["device"]["secure"]

    def test_it_ends_with_the_password(self, own, resident):
        """Who once knew the password has no guesses at the new one that others have not."""
        other, _ = log_in("resident@example.org")
        form = {"oldpassword": PASSWORD, "password1": "another horse 8", "password2": "another horse 8"}
        assert other.post("/password", form).status_code == 302
        other.post("/logout")
        for _ in range(5):
            log_in("resident@example.org", "wrong")
        assert not is_in(log_in("resident@example.org", "another horse 8", client=own)[0])
        assert is_in(log_in("resident@example.org", "another horse 8", client=other)[0])

    def test_the_mailbox_makes_a_new_one(self, attacked):
        client = Client()
        choose_password(client, "resident@example.org", "another horse 8")
        for _ in range(12):
            log_in("resident@example.org", "wrong")
        log_in("resident@example.org", "another horse 8", client=client)
        assert is_in(client)


class Browser:
    """A visitor of a running server, without cookies from before."""

    def __init__(self, site, address):
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        # uvicorn takes it from a proxy on this machine, which this test stands for.
        self.opener.addheaders = [("X-Forwarded-For", address)]
        self.url = f"{site}/login"

    def log_in(self, email, password):
        """The page it leads to."""
        with self.opener.open(self.url) as page:
            token = re.search('name="csrfmiddlewaretoken" value="(.+?)"', page.read().decode())[1]
        form = {"email": email, "password": password, "csrfmiddlewaretoken": token}
        with self.opener.open(self.url, urllib.parse.urlencode(form).encode()) as page:
            return page.read().decode()


def test_two_servers_count_together(installation):
    sites = []
    for _ in range(2):
        installation.web_port = free_port()
        sites.append(installation.start_web())
    both = itertools.cycle(sites)
    for n in range(5):
        assert WRONG in Browser(next(both), f"192.0.2.{n}").log_in("one@example.org", "wrong")
    for n, site in enumerate(sites):
        assert "Too many failed" in Browser(site, f"192.0.2.{10 + n}").log_in("one@example.org", "wrong")
    for n in range(10):
        assert WRONG in Browser(next(both), "192.0.2.99").log_in(f"n{n}@example.org", "wrong")
    for site in sites:
        assert "Too many failed" in Browser(site, "192.0.2.99").log_in("last@example.org", "wrong")


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
