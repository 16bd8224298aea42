"""Guessing passwords is stopped, and the owner of the account gets in all the same."""

import datetime as dt
import http.cookiejar
import itertools
import re
import urllib.parse
import urllib.request

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tests.accounts.test_login import WRONG, choose_password, is_in, log_in
from tests.broker import free_port
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


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
