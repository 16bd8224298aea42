"""Light, dark or system: what the server keeps and renders."""

import re

import pytest
from django.test import Client, override_settings

pytestmark = pytest.mark.django_db


def choose(client, theme, **more):
    return client.post("/theme", {"theme": theme, "next": "/history?show=saved", **more})


def pressed(page):
    return [value for value in ("light", "dark", "auto") if f'value="{value}" aria-pressed="true"' in page]


def test_until_somebody_chooses_the_system_decides():
    page = Client().get("/login").content.decode()
    assert 'data-bs-theme=""' in page
    assert pressed(page) == ["auto"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_choice_holds_for_every_page_without_script(as_resident, as_manager, theme):
    stranger = Client()
    for client, paths in (
        (as_resident, ("/", "/history", "/nosuch")),
        (as_manager, ("/account",)),
        (stranger, ("/login", "/nosuch")),
    ):
        answer = choose(client, theme)
        assert (answer.status_code, answer["Location"]) == (302, "/history?show=saved")
        for path in paths:
            page = client.get(path).content.decode()
            assert f'data-bs-theme="{theme}"' in page, path
            assert pressed(page) == ([] if (path, client) == ("/nosuch", stranger) else [theme]), path


def test_it_stays_for_a_year_and_goes_with_system():
    client = Client()
    with override_settings(HTTPS=True):
        cookie = choose(client, "dark").cookies["theme"]
    assert (cookie.value, cookie["max-age"], cookie["samesite"], cookie["path"]) == ("dark", 31536000, "Lax", "/")
    assert cookie["secure"]
    choose(client, "auto")
    assert pressed(client.get("/login").content.decode()) == ["auto"]


def test_the_managers_pages_have_the_same_choice(as_manager):
    choose(as_manager, "dark")
    page = as_manager.get("/admin/").content.decode()
    assert pressed(page) == ["dark"]
    assert re.search(r'<body class="[^"]*\bchosen-dark\b', page), "without scripts the style sheet goes by it"
    assert "admin/js/theme.js" not in page
    assert "js/theme" in page


@pytest.mark.parametrize("nonsense", ["blue", '"><script>', ""])
def test_nonsense_is_the_systems_choice(nonsense):
    client = Client()
    assert choose(client, nonsense).status_code == 302
    client.cookies["theme"] = nonsense
    page = client.get("/login").content.decode()
    assert 'data-bs-theme=""' in page
    assert pressed(page) == ["auto"]


@pytest.mark.parametrize("back", ["https://evil.example.org/", "//evil.example.org", "javascript:alert(1)", ""])
def test_it_leads_nowhere_else(back):
    assert choose(Client(), "dark", next=back)["Location"] == "/"


def test_no_other_site_can_choose():
    answer = Client(enforce_csrf_checks=True).post("/theme", {"theme": "dark"})
    assert answer.status_code == 403
    assert "theme" not in answer.cookies
