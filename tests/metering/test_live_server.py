"""The stream of a real web server, with a real listener and broker: what another process stores reaches a browser."""

import contextlib
import http.client
from pathlib import Path

import pytest

from tests.live_stream import LOG_IN, Stream
from tests.waiting import wait_for

TOPIC = "electricity/house/floor/101"
PAGES = 40


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
            connection = http.client.HTTPConnection("127.0.0.1", house.web_port, timeout=30)
            stream = Stream(connection, f"sessionid={house.session}", **headers)
            return pages.enter_context(contextlib.closing(stream))

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
