"""Admin, asked for what none of its pages asks: it says "not understood" and never breaks."""

import re
from html import unescape
from itertools import product

import pytest
from django.contrib.admin import site

from accounts.careful_admin import CarefulAdmin
from accounts.models import Invitation, JoinRequest
from metering.models import RejectedMessage
from tests.factories import ListenerStateFactory, ReadingFactory, UserFactory
from tests.fakes import NOON
from tests.walls import admin_table

ADMIN = [label.replace(".", "/") for label in admin_table.ADMIN]
BIG = "9" * 20
QUERIES = [
    f"id__in=1,{BIG}", f"building={'9' * 30}",
    "id__regex=(", "id__gt=x", "pk=x", f"building__in={BIG}", f"building__id__exact={BIG}",
    "building__id__exact=x", "building__id__exact=%00", f"apartment__building__id__exact={BIG}",
    "apartment__building__id__exact=%00", "number__regex=(a%2B)%2B$", "token_hash__startswith=a", "taken_at__gte=x",
    f"taken_at__year={BIG}", f"meter__exact={BIG}", f"meter={BIG}", "meter=%00", "state=%00", "state__exact=%00",
    "floor=%00", f"floor={'x' * 3000}", "decoder__exact=%00", "timezone=%00", "is_active__exact=x",
    "used_at__isempty=x", "moved_in__year=x", "moved_in__year=9999", "moved_in__year=1", f"moved_in__year={BIG}",
    f"moved_in__year=2025&moved_in__month={BIG}", "moved_in__year=2025&moved_in__month=2&moved_in__day=31", "o=99",
    "o=x.-", "p=-1", f"p={BIG}", "p=x", "e=1", "q=%00", f"q={'x' * 3000}", "q=%22%5C", "all=", "_facets=True",
    "_to_field=x", "_popup=1", "x%00y=1",
]  # fmt: skip
UNDERSTOOD_OR_NOT = {200, 302, 400}


@pytest.fixture
def rows(meter, tenancy):
    """Something in every table."""
    ReadingFactory(meter=meter, saved_at=NOON)
    JoinRequest.objects.create(user=UserFactory(), apartment=meter.apartment)
    RejectedMessage.objects.create(received_at=NOON, topic="x", building=meter.building, payload=b"x", reason="x")
    Invitation(tenancy=tenancy).issue()
    ListenerStateFactory()


@pytest.mark.parametrize("name", ADMIN)
def test_lists(name, as_manager, rows):
    for query in QUERIES:
        assert as_manager.get(f"/admin/{name}/?{query}").status_code in UNDERSTOOD_OR_NOT, query


@pytest.mark.parametrize("name", ADMIN)
def test_the_filters_that_a_list_offers_work(name, as_manager, rows):
    page = as_manager.get(f"/admin/{name}/?_facets=True").content.decode()
    offered = set(re.findall(r'<a href="(\?[^"]+)"', page))
    for query in offered:
        answer = as_manager.get(f"/admin/{name}/{unescape(query)}")
        assert answer.status_code == 200, query
    assert offered


def test_a_values_letters_cannot_be_asked_for_one_by_one(as_manager, rows):
    for query in ("token_hash__startswith=a", "token_hash__regex=.*", "expires_at__gt=2020-01-01"):
        assert as_manager.get(f"/admin/accounts/invitation/?{query}").status_code == 400


@pytest.mark.parametrize("name", ADMIN)
def test_filters_count_nothing_that_is_not_shown(name, as_manager, rows):
    page = as_manager.get(f"/admin/{name}/?_facets=True").content.decode()
    assert not re.findall(r"<a href=[^>]*>[^<]*\(\d+\)", page)


def test_the_old_password_is_not_guessed_in_admin(as_manager):
    form = {"old_password": "x", "new_password1": "y", "new_password2": "z"}
    answer = as_manager.post("/admin/password_change/", form)
    assert (answer.status_code, answer.url) == (302, "/password")


@pytest.mark.parametrize("name", ADMIN)
def test_rows_that_cannot_exist(name, as_manager, rows):
    for key, action in product(("x", "", "-1", "1.5", BIG, "\0"), ("delete_selected", "join_household", "nosuch")):
        answer = as_manager.post(f"/admin/{name}/", {"action": action, "_selected_action": key})
        assert answer.status_code in {*UNDERSTOOD_OR_NOT, 403}, (key, action)
    for key, part in product(("x", "%00", "-1", BIG, "_00", "x" * 300), ("change", "history", "delete")):
        assert as_manager.get(f"/admin/{name}/{key}/{part}/").status_code in {302, 403, 404}, (key, part)


@pytest.mark.parametrize("key", [BIG, "x", "-1", "\0", "1.5"])
def test_choices_that_cannot_exist(key, as_manager, tenancy):
    form = {"apartment": tenancy.apartment_id, "moved_in": "2025-01-01", "residents": [key]}
    page = as_manager.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form)
    assert page.status_code == 200
    assert "is not a valid value" in page.content.decode()
    form = {"apartment": BIG, "moved_in": "2025-01-01"}
    assert as_manager.post("/admin/accounts/tenancy/add/", form).status_code == 200


@pytest.mark.parametrize("term", ["", "%00", "x" * 3000])
def test_autocompletion(term, as_manager, rows):
    query = f"app_label=accounts&model_name=tenancy&field_name=residents&term={term}"
    assert as_manager.get(f"/admin/autocomplete/?{query}").status_code in {200, 403}


def test_every_model_in_admin_is_careful():
    assert site._registry
    assert [model for model, admin in site._registry.items() if not isinstance(admin, CarefulAdmin)] == []
