"""Every URL, once as anonymous and once as resident. A URL that is not in this table fails."""

import pytest
from django.test import AsyncClient, Client
from django.urls import URLPattern, URLResolver, get_resolver

LOGIN = "to the login"
STREAM = "a stream"

# pattern: (an example, what an anonymous visitor gets, what a resident gets)
TABLE = {
    "": ("/", LOGIN, 200),
    "history": ("/history", LOGIN, 200),
    "live": ("/live", 401, STREAM),
    "api/power-data": ("/api/power-data", 401, 200),
    "api/save-reading": ("/api/save-reading", 405, 405),
    "api/today": ("/api/today", 401, 200),
    "api/openapi.json": ("/api/openapi.json", LOGIN, 200),
    "api/docs": ("/api/docs", LOGIN, 200),
    "api/": ("/api/", 404, 404),
    "healthz": ("/healthz", 200, 200),
    "readyz": ("/readyz", 200, 200),
    "metrics": ("/metrics", 200, 200),
    "login": ("/login", 200, 302),
    "login/code": ("/login/code", 302, 302),
    "register": ("/register", 200, 302),
    "register/sent": ("/register/sent", 200, 200),
    "register/confirm/<str:key>": ("/register/confirm/nonsense", 410, 410),
    "logout": ("/logout", 302, 200),
    "invitation": ("/invitation", LOGIN, 302),
    "account": ("/account", LOGIN, 200),
    "account/log-out-everywhere": ("/account/log-out-everywhere", 405, 405),
    "account/confirm": ("/account/confirm", LOGIN, 200),
    "account/confirm/code": ("/account/confirm/code", 302, 302),
    "account/two-factor": ("/account/two-factor", 302, 302),
    "account/two-factor/set-up": ("/account/two-factor/set-up", LOGIN, 302),
    "account/two-factor/take-off": ("/account/two-factor/take-off", LOGIN, 404),
    "account/two-factor/codes": ("/account/two-factor/codes", LOGIN, 404),
    "account/two-factor/codes/file": ("/account/two-factor/codes/file", LOGIN, 404),
    "account/two-factor/codes/new": ("/account/two-factor/codes/new", LOGIN, 302),
    "account/access": ("/account/access", LOGIN, 200),
    "account/data": ("/account/data", LOGIN, 200),
    "account/delete": ("/account/delete", LOGIN, 200),
    "password": ("/password", LOGIN, 200),
    "password/reset": ("/password/reset", 200, 200),
    "password/reset/sent": ("/password/reset/sent", 200, 200),
    "^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)$": ("/password/reset/1-set-x", 200, 200),
    "password/reset/done": ("/password/reset/done", 200, 200),
    "inactive": ("/inactive", 200, 200),
}


def patterns(resolver, prefix=""):
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if path != "admin/":
                yield from patterns(entry, path)
        elif isinstance(entry, URLPattern):
            yield path


def test_every_url_is_in_the_table():
    assert set(patterns(get_resolver())) == set(TABLE)


def check(response, expected):
    if expected is LOGIN:
        assert response.status_code == 302
        assert response.url.startswith("/login?next=")
    else:
        assert response.status_code == expected


@pytest.mark.django_db
@pytest.mark.parametrize("pattern", TABLE)
def test_as_anonymous(pattern, apartment):
    path, expected, _ = TABLE[pattern]
    check(Client().get(path), expected)


@pytest.mark.parametrize("pattern", [pattern for pattern, row in TABLE.items() if row[2] is not STREAM])
def test_as_resident(pattern, as_resident, meter):
    path, _, expected = TABLE[pattern]
    check(as_resident.get(path), expected)


def test_the_stream_as_resident(in_event_loop, resident, meter):
    client = AsyncClient()
    client.force_login(resident)

    async def first_event():
        response = await client.get("/live")
        assert response.headers["Content-Type"] == "text/event-stream"
        return (await anext(aiter(response.streaming_content))).decode()

    assert in_event_loop(first_event()).startswith('event: reading\ndata: {"apartment": "101"')


ADMIN = ["building", "apartment", "tenancy", "invitation", "joinrequest", "user", "accessrecord"]
ADMIN = [f"accounts/{name}" for name in ADMIN]
ADMIN += [f"metering/{name}" for name in ("meter", "reading", "rejectedmessage", "listenerstate")]


@pytest.mark.parametrize("name", ["", *(f"{name}/" for name in ADMIN)])
def test_admin_is_for_managers(name, as_resident, as_manager, meter):
    path = f"/admin/{name}"
    assert Client().get(path, follow=True).redirect_chain[-1] == (
        f"/login?next=%2Fadmin%2F{name.replace('/', '%2F')}",
        302,
    )
    assert as_resident.get(path, follow=True).status_code == 403
    assert as_manager.get(path).status_code == 200
