"""The stream of a real web server, with a real listener and broker: what another process stores reaches a browser."""

import contextlib
import http.client
import json
from pathlib import Path

import pytest

from tests.waiting import wait_for

TOPIC = "electricity/house/floor/101"
LOG_IN = """
from django.test import Client
from accounts.models import Apartment
from tests.factories import TenancyFactory, UserFactory
resident = UserFactory(email="resident@example.org")
TenancyFactory(apartment=Apartment.objects.get(number="101")).residents.add(resident)
client = Client()
client.force_login(resident)
print(client.session.session_key)
"""
PAGES = 40


class Stream:
    """One open page."""

    def __init__(self, port, session, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.request("GET", "/live", headers={"Cookie": f"sessionid={session}"} | headers)
        self._answer = self.connection.getresponse()
        assert self._answer.status == 200
        self.number = ""

    def next(self):
        """The next event's name and data; None at the end."""
        fields = {}
        while line := self._answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                self.number = fields.get("id", self.number)
                return fields["event"], json.loads(fields["data"])
        return None

    def powers(self, number):
        """Of the next readings, whatever the lamps say meanwhile."""
        found = []
        while len(found) < number:
            event, data = self.next()
            if event == "reading":
                found.append(data["power"])
        return found

    def close(self):
        self._answer.close()
        self.connection.close()


@pytest.fixture
def house(installation):
    """A web server, and a resident who is logged in."""
    installation.make_house("101")
    installation.session = installation.manage("shell", "--verbosity", "0", "-c", LOG_IN).strip()
    installation.start_web()
    return installation


@pytest.fixture
def opened(house):
    """Opens pages, and closes them at the end."""
    with contextlib.ExitStack() as pages:

        def open_one(**headers):
            return pages.enter_context(contextlib.closing(Stream(house.web_port, house.session, **headers)))

        yield open_one


def measure(broker, *currents):
    for current in currents:
        broker.publish(TOPIC, f'{{"voltage": 100, "current": {current}}}')


def test_a_reading_comes_at_once_and_a_drop_leaves_no_hole(house, broker, opened):
    house.start_listener()
    page = opened()
    assert page.powers(1) == [None]
    measure(broker, 1, 2)
    assert page.powers(2) == [100, 200]
    page.close()
    measure(broker, 3, 4)
    wait_for(lambda: len(house.readings()) == 4, "the readings are stored")
    again = opened(**{"Last-Event-ID": page.number})
    # And how things stand.
    assert again.powers(3) == [300, 400, 400]
    measure(broker, 5)
    assert again.powers(1) == [500]


def test_it_ends_with_the_session(house, opened):
    page = opened()
    page.next()
    house.execute("DELETE FROM django_session")
    while page.next():
        pass


def test_an_open_page_takes_no_thread_of_its_own(house, opened):
    def held():
        status = Path(f"/proc/{house.web.pid}/status").read_text()
        return int(status.partition("Threads:")[2].split()[0])

    pages = [opened() for _ in range(PAGES)]
    for page in pages:
        page.next()
    assert held() < PAGES / 2
