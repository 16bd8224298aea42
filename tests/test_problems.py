"""Pages that say what went wrong: with the menu of whoever is logged in, and never with a fault of their own."""

import logging

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.test import Client
from django.urls import path

from config import problems
from config.urls import handler400, handler403, handler404, handler429, urlpatterns  # noqa: F401 - ROOT_URLCONF below

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

MENU = 'id="account-menu"'


def raising(error):
    def view(request):
        raise error

    return view


def broken(*_):
    raise RuntimeError("broken")


urlpatterns = [
    path("problem/400", raising(SuspiciousOperation())),
    path("problem/403", raising(PermissionDenied())),
    path("problem/404", raising(Http404())),
    path("problem/429", problems.too_many_requests),
    *urlpatterns,
]
STATUSES = (400, 403, 404, 429)


@pytest.mark.parametrize("status", STATUSES)
def test_who_is_logged_in_has_the_menu(status, as_resident, as_manager):
    for client, way in ((as_resident, "/history"), (as_manager, "/admin/")):
        answer = client.get(f"/problem/{status}")
        assert answer.status_code == status
        page = answer.content.decode()
        assert MENU in page
        assert f'href="{way}"' in page
        assert page.count('name="next" value="/"') == 2
    assert MENU not in Client().get(f"/problem/{status}").content.decode()


def test_who_asks_for_another_apartment_finds_back_to_their_own(as_resident, neighbour):
    answer = as_resident.get("/?apartment=house/201")
    assert answer.status_code == 404
    page = answer.content.decode()
    assert 'href="/history"' in page


def test_a_form_that_is_too_old_has_it_too(resident):
    client = Client(enforce_csrf_checks=True)
    client.force_login(resident)
    answer = client.post("/account/log-out-everywhere")
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "The form is too old" in page
    assert MENU in page


@pytest.mark.parametrize("status", STATUSES)
def test_where_the_menu_fails_the_page_is_shown_without(status, as_resident, monkeypatch, caplog):
    monkeypatch.setattr("accounts.context.find_residence", broken)
    with caplog.at_level(logging.ERROR, "config.problems"):
        answer = as_resident.get(f"/problem/{status}")
    assert answer.status_code == status
    assert answer.content.decode().count("<h1>") == 1
    assert MENU not in answer.content.decode()
    assert "goes without a menu" in caplog.text


def test_a_server_error_asks_for_no_menu(as_resident, monkeypatch):
    monkeypatch.setattr("accounts.context.find_residence", broken)
    as_resident.raise_request_exception = False
    answer = as_resident.get("/account")
    assert answer.status_code == 500
    assert MENU not in answer.content.decode()


def test_whoever_tries_riser_out_sees_its_own_page_where_one_is_missing(settings, as_resident):
    settings.DEBUG = True
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "config.problems.MissingPages"]
    for path_ in ("/problem/404", "/nothing-here"):
        answer = as_resident.get(path_)
        assert answer.status_code == 404
        assert "Go to Riser" in answer.content.decode()
        assert MENU in answer.content.decode()
    assert as_resident.get("/api/nothing-here").status_code == 404
