"""The web server as deploy/systemd/riser-web.service starts it, against bodies, headers and visitors without end."""

import contextlib
import http.client
import re
import shlex
import socket
import sys
import time
import urllib.parse

import pytest

from tests.broker import answers
from tests.factories import PASSWORD
from tests.installation import PROJECT, Installation, Process
from tests.waiting import wait_for

pytestmark = pytest.mark.sqlite

UNIT = PROJECT / "deploy/systemd/riser-web.service"
LIMIT = 1024 * 1024
"""DATA_UPLOAD_MAX_MEMORY_SIZE"""
RESIDENT = """
from tests.factories import ApartmentFactory, BuildingFactory, TenancyFactory, UserFactory
flat = ApartmentFactory(building=BuildingFactory(slug="house"), number="101")
TenancyFactory(apartment=flat).residents.add(UserFactory(email="resident@example.org"))
"""
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MULTIPART = "multipart/form-data; boundary=x"
BEHIND_NGINX = {
    "Host": "127.0.0.1",
    "Referer": "https://127.0.0.1/",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.7",
}


@pytest.fixture(scope="module")
def production(static_root):
    """The settings of a real installation, with its scripts and styles collected."""
    return {"DEBUG": "off", "ALLOWED_HOSTS": "127.0.0.1", "STATIC_ROOT": static_root}


@pytest.fixture(scope="module")
def site(tmp_path_factory, templates, production):
    """A web server with one resident."""
    folder = tmp_path_factory.mktemp("site")
    command = shlex.split(re.search(r"^ExecStart=\S+python (.*)$", UNIT.read_text(), re.MULTILINE)[1])
    with Installation(folder, templates, 1, **production) as made:
        command[command.index("--port") + 1] = str(made.web_port)
        made.manage("shell", "-c", RESIDENT)
        made.web = Process([sys.executable, *command], made.env, folder / "web.log")
        made.processes.append(made.web)
        wait_for(lambda: answers(made.web_port), "the web server answers")
        yield made


class Visitor:
    """A browser, as far as it matters here: it keeps its cookies."""

    def __init__(self, site):
        self._port = site.web_port
        self.cookies = {}

    def ask(self, method, path, body=None, **headers):
        """The answer's status; 0 where the server cuts the connection while we are still sending."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        token = self.cookies.get("__Host-csrftoken", "")
        own = BEHIND_NGINX | {"Cookie": cookies, "X-CSRFToken": token}
        with contextlib.closing(connection), contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.request(method, path, body, own | headers, encode_chunked=True)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            answer.read()
            return answer.status
        return 0

    def log_in(self):
        self.ask("GET", "/login")
        form = urllib.parse.urlencode({"email": "resident@example.org", "password": PASSWORD, "apartment": "101"})
        assert self.ask("POST", "/login", form, **{"Content-Type": FORM}) == 302
        return self


def part(name, size):
    return b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, b"x" * size)


BODIES = {
    "a form": (FORM, b"email=" + b"x" * LIMIT),
    "JSON": (JSON, b'{"note": "' + b"x" * LIMIT + b'"}'),
    "a form in parts": (MULTIPART, part(b"email", LIMIT) + b"--x--\r\n"),
    "many fields": (FORM, b"&".join(b"f%d=1" % number for number in range(2000))),
    "many parts": (MULTIPART, b"".join(part(b"f%d" % number, 1) for number in range(2000)) + b"--x--\r\n"),
}


def pieces(body):
    """The same without saying beforehand how long it is."""
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


@pytest.mark.parametrize("path", ["/login", "/register", "/api/save-reading"])
def test_a_body_beyond_the_limit_is_refused(site, path):
    visitor = Visitor(site)
    visitor.ask("GET", "/login")
    if path.startswith("/api"):
        visitor.log_in()
    for name, (kind, body) in BODIES.items():
        assert visitor.ask("POST", path, body, **{"Content-Type": kind}) in {400, 413}, name
        # From nginx a body always comes with its length.
        assert visitor.ask("POST", path, pieces(body), **{"Content-Type": kind}) in {200, 400, 409, 413}, name
    assert "Internal Server Error" not in site.web.said
    assert Visitor(site).ask("GET", "/login") == 200


@contextlib.contextmanager
def unfinished(port, number, beginning):
    """So many connections that never say more than this."""
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.sendall(beginning)
        yield


HALF_A_HEAD = b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
HALF_A_BODY = (
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\nemail="
)


@pytest.mark.parametrize("beginning", [b"", HALF_A_HEAD, HALF_A_BODY])
def test_two_hundred_that_never_finish_keep_nobody_waiting(site, beginning):
    visitor = Visitor(site).log_in()
    with unfinished(site.web_port, 200, beginning):
        for path, expected in (("/login", 302), ("/", 200), ("/api/power-data", 200), ("/healthz", 200)):
            began = time.monotonic()
            assert visitor.ask("GET", path) == expected, path
            assert time.monotonic() - began < 10
        assert Visitor(site).log_in()
    assert "Internal Server Error" not in site.web.said


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/login", {"X-Large": "x" * 1_000_000}),
        ("/login", {"Cookie": "sessionid=" + "x" * 1_000_000}),
        ("/login", {f"X-{number}": "x" * 100 for number in range(10_000)}),
        ("/login?" + "x" * 1_000_000, {}),
        ("/" + "x" * 1_000_000, {}),
    ],
)
def test_a_head_without_end_is_refused(site, path, headers):
    assert Visitor(site).ask("GET", path, **headers) in {0, 400}
    assert Visitor(site).ask("GET", "/login") == 200


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [("127.0.0.1", 200), ("192.0.2.7", 404), ("127.0.0.1, 192.0.2.7", 404), ("::1, 192.0.2.7", 404), ("x", 404)],
)
def test_the_address_is_the_one_that_nginx_saw(site, forwarded, status):
    assert Visitor(site).ask("GET", "/metrics", **{"X-Forwarded-For": forwarded}) == status


def test_an_address_that_holds_a_secret_is_not_logged(site):
    visitor = Visitor(site)
    assert visitor.ask("GET", "/register?invitation=a-secret-of-somebody") in {200, 404, 410}
    assert visitor.ask("GET", "/password/reset/a-secret-of-somebody") in {200, 404}
    assert visitor.ask("GET", "/healthz") == 200
    assert "invitation" not in site.web.said
    assert "uvicorn.access" not in site.web.said


def test_nginx_logs_no_address_of_what_fails():
    """Its lines of the level `error` hold whole addresses, and those of the pages before."""
    server = (PROJECT / "deploy/nginx.conf").read_text().partition("listen 443")[2]
    assert re.search(r"^    error_log \S+ crit;", server, re.MULTILINE)


def test_nginx_knows_a_log_in_by_the_cookie_it_has(site):
    visitor = Visitor(site).log_in()
    pattern = re.search(r'"~(.*)" \$1;', (PROJECT / "deploy/nginx.conf").read_text())[1]
    name = "__Host-sessionid"
    cookies = f"{name}=forged; x=y; {name}={visitor.cookies[name]}; z=1"
    assert re.search(pattern, cookies)[1] == visitor.cookies[name]


def test_there_are_more_files_than_connections():
    unit = UNIT.read_text()
    connections = int(re.search(r"--limit-concurrency (\d+)", unit)[1])
    files = int(re.search(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)[1])
    assert connections <= files / 2, "the database and its log need some, too"
