"""The stream through deploy/nginx.conf, from a web server of two processes as its unit starts it."""

import contextlib
import http.client
import os
import re
import shlex
import signal
import ssl
import sys
from pathlib import Path

import pytest

from tests.broker import answers
from tests.deploy.shipped import make_certificate
from tests.deploy.shipped_nginx import ShippedNginx
from tests.installation import PROJECT, Installation, Process
from tests.live_stream import LOG_IN, Ended, Stream
from tests.waiting import wait_for

pytestmark = pytest.mark.sqlite

UNIT = PROJECT / "deploy/systemd/riser-web.service"
TOPIC = "electricity/house/floor/101"
MOST = 20
"""limit_conn of deploy/nginx.conf"""


@pytest.fixture
def house(tmp_path, templates, broker):
    """Two web processes, a listener, and a resident who is logged in."""
    settings = {"DEBUG": "off", "ALLOWED_HOSTS": "127.0.0.1", "STATIC_ROOT": str(tmp_path)}
    with Installation(tmp_path, templates, broker.port, **settings) as made:
        made.make_house("101")
        made.session = made.manage("shell", "--verbosity", "0", "-c", LOG_IN).strip()
        made.start_listener()
        command = shlex.split(re.search(r"^ExecStart=\S+python (.*)$", UNIT.read_text(), re.MULTILINE)[1])
        command[command.index("--port") + 1] = str(made.web_port)
        made.web = Process([sys.executable, *command, "--workers", "2"], made.env, tmp_path / "web.log")
        made.processes.append(made.web)
        wait_for(lambda: answers(made.web_port), "the web server answers")
        yield made


@pytest.fixture
def nginx(tmp_path, house):
    certificate = make_certificate(tmp_path / "certificates", "IP:127.0.0.1")
    with ShippedNginx(tmp_path, house.web_port, certificate) as running:
        running.trust = ssl.create_default_context(cafile=certificate)
        yield running


@pytest.fixture
def open_page(house, nginx):
    with contextlib.ExitStack() as pages:

        def open_one(**headers):
            connection = http.client.HTTPSConnection("127.0.0.1", nginx.port, timeout=30, context=nginx.trust)
            stream = Stream(connection, f"__Host-sessionid={house.session}", **headers)
            return pages.enter_context(contextlib.closing(stream))

        yield open_one


def web_processes(house):
    """Those that hold connections of nginx, and how many each."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{house.web_port:04X}") and fields[3] == "01":
            inodes.add(f"socket:[{fields[9]}]")
    children = Path(f"/proc/{house.web.pid}/task/{house.web.pid}/children").read_text().split()
    held = {}
    for pid in children:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if str(link.readlink()) in inodes:
                    held[int(pid)] = held.get(int(pid), 0) + 1
    return held


def test_pages_at_all_processes_hear_of_it_and_come_back_when_one_dies(house, broker, open_page):
    pages = []
    while len(web_processes(house)) < 2:
        assert len(pages) < MOST, "all pages are at one process"
        pages.append(open_page())
        assert pages[-1].powers(1) == [None]
    broker.publish(TOPIC, '{"voltage": 100, "current": 1}')
    assert [page.powers(1) for page in pages] == [[100]] * len(pages)
    victim, held = min(web_processes(house).items(), key=lambda process: process[1])
    os.kill(victim, signal.SIGKILL)
    broker.publish(TOPIC, '{"voltage": 100, "current": 2}')
    dropped = []
    for page in pages:
        try:
            assert page.powers(1) == [200]
        except Ended:
            dropped.append(page)
    assert len(dropped) == held
    for page in dropped:
        # The reading it missed, and how things stand.
        assert open_page(**{"Last-Event-ID": page.number}).powers(2) == [200, 200]
