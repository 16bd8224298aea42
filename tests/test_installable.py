"""What a phone needs to keep Riser like an app, and the pages for when something is wrong."""

import json
import re
import struct
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import resolve

from config import installable

PROBLEMS = ("400", "403", "403_csrf", "404", "429", "500", "offline")


def get(view):
    return view(RequestFactory().get("/"))


def test_the_manifest_names_icons_that_are_there():
    answer = get(installable.manifest)
    assert answer["Content-Type"] == "application/manifest+json"
    said = json.loads(answer.content)
    assert said["name"] == said["short_name"] == "Riser"
    assert (said["start_url"], said["scope"], said["display"]) == ("/", "/", "standalone")
    assert {(icon["sizes"], icon["purpose"]) for icon in said["icons"]} == {
        ("192x192", "any"), ("512x512", "any"), ("512x512", "maskable"),
    }  # fmt: skip
    for icon in said["icons"]:
        head = Path(finders.find(icon["src"].removeprefix("/static/"))).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert icon["sizes"] == "{}x{}".format(*struct.unpack(">II", head[16:24]))


def worker():
    answer = get(installable.service_worker)
    assert answer["Content-Type"].startswith("text/javascript")
    return answer.content.decode()


def constant(script, name):
    return json.loads(re.search(rf"const {name} = (.+);", script)[1])


def test_the_service_worker_keeps_all_of_the_offline_page_and_nothing_else():
    script = worker()
    assert constant(script, "OFFLINE") == "/offline"
    asked = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', get(installable.offline).content.decode())
    not_shown = {"/manifest.webmanifest", "/static/img/apple-touch-icon.png"}
    assert set(constant(script, "FILES")) == set(asked) - not_shown
    assert all(finders.find(file.removeprefix("/static/")) for file in constant(script, "FILES"))


def test_it_minds_pages_only():
    pages = constant(worker(), "PAGES")
    assert pages == ["/", "/history", "/account", "/login"]
    assert {resolve(path).url_name for path in pages} == set(installable.PAGES)


def test_it_is_another_one_when_the_offline_page_is(monkeypatch):
    before = constant(worker(), "CACHE")
    assert constant(worker(), "CACHE") == before
    monkeypatch.setattr(installable, "_offline_page", lambda: '<script src="/static/js/other.js"></script>')
    assert constant(worker(), "CACHE") != before
    assert constant(worker(), "FILES") == ["/static/js/other.js"]


@pytest.mark.django_db
def test_the_offline_page_is_the_same_for_everybody(as_resident, as_manager):
    assert len({client.get("/offline").content for client in (Client(), as_resident, as_manager)}) == 1


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_page_about_a_problem_needs_neither_database_nor_request(name):
    """This test may not touch the database: it would fail."""
    page = render_to_string(f"{name}.html")
    assert page.count("<h1>") == 1
    assert len(re.findall(r'<p class="what">\s*\S', page)) == 1
    assert 'class="btn btn-primary"' in page, "nothing to do next"


@pytest.mark.django_db
def test_the_page_of_a_server_error_is_shown(client, monkeypatch):
    def broken(_):
        raise RuntimeError("broken")

    monkeypatch.setattr("accounts.context.find_residence", broken)
    client.raise_request_exception = False
    answer = client.get("/login")
    assert answer.status_code == 500
    assert "Readings are stored apart from these pages" in answer.content.decode()


def test_djangos_own_pages_are_replaced():
    assert {f"{name}.html" for name in PROBLEMS} <= {file.name for file in (settings.BASE_DIR / "templates").iterdir()}
