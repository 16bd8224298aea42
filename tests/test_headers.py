"""What every answer tells the browser, asked of a web server with the settings of production."""

import http.client
import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from itertools import product
from urllib.parse import urlencode

import pytest
from django.test import Client

from config.headers import SWITCHED_OFF
from tests.factories import PASSWORD
from tests.installation import Installation
from tests.walls.table import GET

pytestmark = pytest.mark.sqlite

TLS = {"X-Forwarded-Proto": "https"}
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "manifest-src 'self'", "worker-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'",
}  # fmt: skip
EVERYWHERE = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in SWITCHED_OFF),
}
ONE_YEAR_THIS_HOST_ONLY = "max-age=31536000"


@dataclass
class Visitor:
    """A browser without the page: it keeps cookies."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, TLS | {"Cookie": cookies} | headers)
        answer = connection.getresponse()
        # A stream has no end.
        answer.text = "" if answer.headers["Content-Type"] == "text/event-stream" else answer.read().decode()
        self.set_cookies = answer.headers.get_all("Set-Cookie", [])
        for cookie in self.set_cookies:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(cookie).items()}
        connection.close()
        return answer

    def fill_in(self, path, **fields):
        """Open a form's page and send it."""
        page = self.ask(path).text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        return self.ask(
            path, "POST", urlencode(fields | {"csrfmiddlewaretoken": token}),
            **{"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://127.0.0.1:{self.port}"},
        )  # fmt: skip


def production(folder, templates, mqtt_port, static_root, **more):
    """An installation with the settings of production."""
    settings = {
        "DEBUG": "off", "ALLOWED_HOSTS": "127.0.0.1", "STATIC_ROOT": static_root,
        "REQUIRE_MANAGER_2FA": "off", "DJANGO_SUPERUSER_EMAIL": "root@example.org",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }  # fmt: skip
    made = Installation(folder, templates, mqtt_port, **settings | more)
    made.make_house("101", "201")
    made.manage("createsuperuser", "--noinput")
    return made


@pytest.fixture(scope="module")
def house(tmp_path_factory, templates, static_root):
    with production(tmp_path_factory.mktemp("production"), templates, 1, static_root) as made:
        made.start_web()
        yield made


@pytest.fixture(scope="module")
def stranger(house):
    return Visitor(house.web_port)


@pytest.fixture(scope="module")
def visiting_resident(house):
    visitor = Visitor(house.web_port)
    link = house.manage("invite", "house", "101", "--moved-in", "2026-01-01").strip()
    path = link.partition("/register")[1] + link.partition("/register")[2]
    fields = {"email": "resident@example.org", "password": PASSWORD, "invitation": link.partition("=")[2]}
    assert visitor.fill_in(path, **fields).status == 302
    return visitor


@pytest.fixture(scope="module")
def visiting_manager(house):
    visitor = Visitor(house.web_port)
    assert visitor.fill_in("/login", email="root@example.org", password=PASSWORD).status == 302
    return visitor


KINDS = {
    "a page": ("visiting_resident", "/", 200),
    "a page for anybody": ("stranger", "/login", 200),
    "a list": ("visiting_resident", "/history", 200),
    "a redirect": ("visiting_resident", "/login", 302),
    "a redirect of a stranger": ("stranger", "/", 302),
    "JSON": ("visiting_resident", "/api/power-data", 200),
    "JSON that is refused": ("stranger", "/api/power-data", 401),
    "the API's description": ("visiting_resident", "/api/openapi.json", 200),
    "the API's page": ("visiting_resident", "/api/docs", 200),
    "a stream": ("visiting_resident", "/live", 200),
    "the front of admin": ("visiting_manager", "/admin/", 200),
    "a list in admin": ("visiting_manager", "/admin/accounts/tenancy/", 200),
    "a form in admin": ("visiting_manager", "/admin/accounts/building/add/", 200),
    "words for admin's scripts": ("visiting_manager", "/admin/jsi18n/", 200),
    "a refusal": ("visiting_resident", "/admin/login/", 403),
    "nothing there": ("stranger", "/nosuch", 404),
    "nothing there in admin": ("visiting_manager", "/admin/nosuch/", 404),
    "something gone": ("stranger", "/register?invitation=nosuch", 410),
    "a sign of life": ("stranger", "/healthz", 200),
    "figures": ("stranger", "/metrics", 200),
    "a refused method": ("visiting_resident", "/api/save-reading", 405),
    "another host's name": ("stranger", "/", 400),
    "a form without its token": ("stranger", "/login", 403),
}
HOW = {
    "another host's name": {"Host": "evil.example.org"},
    "a form without its token": {"method": "POST"},
}


def check(answer):
    """All but what static files may do."""
    for name, value in EVERYWHERE.items():
        assert answer.headers.get_all(name) == [value], name
    assert set(answer.headers["Content-Security-Policy"].split("; ")) == POLICY
    assert answer.headers["Strict-Transport-Security"] == ONE_YEAR_THIS_HOST_ONLY


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer(request, kind):
    who, path, status = KINDS[kind]
    answer = request.getfixturevalue(who).ask(path, **HOW.get(kind, {}))
    assert answer.status == status
    check(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_every_url_has_them(as_resident, meter):
    """Those that are yet to come as well: a new one must be in that table."""
    for row, client in product(GET.values(), (Client(), as_resident)):
        if row.path != "/live":
            headers = client.get(row.path).headers
            assert headers["Cache-Control"].endswith(("no-store", "no-store, must-revalidate, private")), row.path
            assert set(headers["Content-Security-Policy"].split("; ")) == POLICY, row.path


def test_static_files_may_be_kept(stranger):
    path = re.search(r'href="(/static/css/riser\.\w+\.css)"', stranger.ask("/login").text)[1]
    for name, kept in ((path, "max-age=315360000, public, immutable"), ("/static/css/riser.css", "max-age=60, public")):
        answer = stranger.ask(name)
        assert answer.status == 200
        check(answer)
        assert answer.headers["Cache-Control"] == kept
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_plain_http_leads_to_tls(stranger):
    answer = stranger.ask("/register?invitation=secret", **{"X-Forwarded-Proto": "http"})
    assert answer.status == 301
    assert answer.headers["Location"].startswith("https://")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_cookies_are_for_this_host_over_tls_and_not_for_scripts(house):
    visitor = Visitor(house.web_port)
    assert visitor.fill_in("/login", email="root@example.org", password=PASSWORD).status == 302
    cookies = {name: morsel for cookie in visitor.set_cookies for name, morsel in SimpleCookie(cookie).items()}
    assert {"__Host-sessionid", "__Host-csrftoken", "__Host-device"} <= set(cookies)
    for morsel in cookies.values():
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")
        assert (morsel["path"], morsel["domain"]) == ("/", "")


def test_a_broken_database_gives_a_whole_page(house, visiting_resident, stranger):
    house.execute("ALTER TABLE accounts_building RENAME TO accounts_elsewhere")
    try:
        for visitor in (visiting_resident, stranger):
            answer = visitor.ask("/login")
            assert answer.status == 500
            check(answer)
            assert "no-store" in answer.headers["Cache-Control"]
            assert "It was logged; try again in a moment." in answer.text
    finally:
        house.execute("ALTER TABLE accounts_elsewhere RENAME TO accounts_building")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"SECURE_HSTS_INCLUDE_SUBDOMAINS": "on"}, "max-age=31536000; includeSubDomains"),
        ({"SECURE_HSTS_INCLUDE_SUBDOMAINS": "on", "SECURE_HSTS_PRELOAD": "on"},
         "max-age=31536000; includeSubDomains; preload"),
        ({"SECURE_HSTS_SECONDS": "0"}, None),
    ],
)  # fmt: skip
def test_how_far_tls_is_insisted_on_is_for_the_operator(house, settings, told):
    before = dict(house.env)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setitem(house.env, name, value)
        house.web.end()
        house.start_web()
        assert Visitor(house.web_port).ask("/healthz").headers["Strict-Transport-Security"] == told
    assert house.env == before
    house.web.end()
    house.start_web()
