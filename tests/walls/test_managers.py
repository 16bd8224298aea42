"""What a manager might try, knowing the code: to look into the other building, and to become more than a manager."""

import datetime as dt
import re
from urllib.parse import urlencode

import pytest
from django.contrib.admin import site
from django.core.exceptions import FieldDoesNotExist
from django.forms import ModelChoiceField
from django.test import RequestFactory

from accounts.models import Apartment, Building, Invitation, Tenancy, User
from tests.factories import ReadingFactory
from tests.fakes import NOON
from tests.walls.admin_table import ADMIN, admin_of, path_of
from tests.walls.answers import ask
from tests.walls.cast import READINGS, ROLES, address, readings_of, snapshot

MISSING = 999_999_999


# --- Names of foreign things in a form -----------------------------------------------------------


def forms(cast, role):
    """Every form in the admin this role may open: path, fields, and of inlines the prefix."""
    for label, rights in ADMIN.items():
        if role in rights.add:
            yield f"{path_of(label)}add/"
        if role in rights.change:
            yield f"{path_of(label)}{cast.own[label].pk}/change/"


def test_a_form_offers_and_takes_nothing_foreign(cast):
    before, tried = snapshot(), set()
    for path in forms(cast, "manager"):
        form = ask(cast, "manager", path).response.context["adminform"].form
        for name, field in form.fields.items():
            if isinstance(field, ModelChoiceField):
                tried.add((path.split("/")[3], name))
                foreign = cast.foreign[field.queryset.model._meta.label_lower].pk
                assert not field.queryset.filter(pk=foreign).exists(), (path, name)
                refused = [complaint(cast, path, name, pk) for pk in (foreign, MISSING)]
                assert refused[0] == refused[1] != [], (path, name)
    assert tried == {
        ("apartment", "building"), ("tenancy", "apartment"), ("tenancy", "residents"), ("invitation", "tenancy"),
        ("meter", "building"), ("meter", "apartment"), ("tariff", "building"),
    }  # fmt: skip
    assert snapshot() == before


def complaint(cast, path, name, pk):
    """What the form says about a row that is named although it was not offered."""
    said = ask(cast, "manager", path, {name: pk}, method="post")
    errors = said.response.context["adminform"].form.errors
    return [words.replace(str(pk), "PK") for words in errors.get(name, [])]


def test_fields_that_are_not_in_the_form_change_nothing(cast):
    """Managers of a building, the place of an apartment or a meter, in a form that is otherwise right."""
    house, apartment, meter = (
        cast.own[f"{name}"] for name in ("accounts.building", "accounts.apartment", "metering.meter")
    )
    foreign = {name: cast.foreign[f"{name}"].pk for name in ("accounts.building", "accounts.apartment")}
    good = {
        path_of("accounts.building") + f"{house.pk}/change/": {
            "name": "House", "timezone": "Europe/Berlin", "currency": "EUR", "slug": "taken",
            "managers": [cast.people["stranger"].pk], "is_demo": "on",
        },
        path_of("accounts.apartment") + f"{apartment.pk}/change/": {
            "number": "102", "floor": "1", "building": foreign["accounts.building"],
            "meters-TOTAL_FORMS": 1, "meters-INITIAL_FORMS": 1, "meters-0-id": cast.foreign["metering.meter"].pk,
            "meters-0-apartment": apartment.pk, "meters-0-serial": "taken", "meters-0-DELETE": "on",
        },
        path_of("metering.meter") + f"{meter.pk}/change/": {
            "decoder": "native", "topic": "", "serial": "", "installed_at_0": "1970-01-01",
            "installed_at_1": "01:00:00", "building": foreign["accounts.building"],
            "apartment": foreign["accounts.apartment"],
        },
    }  # fmt: skip
    before = snapshot()
    for path, form in good.items():
        assert (
            ask(cast, "manager", path, form, method="post").status
            == path.partition("/change/")[0].rpartition("/")[0] + "/"
        )
    assert snapshot() == before


def test_a_form_that_is_filled_in_by_a_link_shows_nothing_foreign(cast):
    for label in ("accounts.tenancy", "accounts.apartment", "accounts.invitation", "metering.meter"):
        foreign = {name: cast.foreign[f"accounts.{name}"].pk for name in ("building", "apartment", "tenancy")}
        query = urlencode(foreign | {"residents": cast.people["stranger"].pk, "_popup": 1})
        assert ask(cast, "manager", f"{path_of(label)}add/?{query}").status == 200


def test_a_stranger_cannot_be_made_a_resident(cast):
    """Which would show them readings here, and the manager their address."""
    tenancy = cast.tenancies["next"]
    form = {"apartment": tenancy.apartment_id, "moved_in": tenancy.moved_in, "moved_out": ""}
    for person in ("stranger", "other_manager", "superuser"):
        residents = [cast.people["next"].pk, cast.people[person].pk]
        for path in (f"{tenancy.pk}/change/", "add/"):
            said = ask(
                cast, "manager", path_of("accounts.tenancy") + path, form | {"residents": residents}, method="post"
            )
            assert "residents" in said.response.context["adminform"].form.errors
    assert list(tenancy.residents.all()) == [cast.people["next"]]


def test_who_lives_in_both_buildings_shows_each_manager_one_side(cast):
    """The address is known to both; where else they live is not, nor is it undone by saving."""
    both = cast.people["both"]
    for page in ("", f"{both.pk}/change/", f"{both.pk}/history/"):
        said = ask(cast, "manager", path_of("accounts.user") + page)
        assert not re.search(r"\b777\b", said.body)  # a CSRF token may hold three sevens by chance
    assert both.tenancies.count() == 2


@pytest.mark.parametrize("label", [label for label, rights in ADMIN.items() if rights.superuser_actions])
def test_actions_reach_only_what_is_listed(cast, label):
    """Rows chosen by number, by everybody who does not see them."""
    before = snapshot()
    for action in ADMIN[label].superuser_actions:
        for role in set(ROLES) - {"superuser"}:
            row = (cast.own if role == "other_manager" else cast.foreign)[label]
            form = {"action": action, "_selected_action": row.pk, "post": "yes"}
            ask(cast, role, path_of(label), form, method="post")
    assert snapshot() == before


def test_all_rows_means_all_of_ones_own(cast):
    form = {"action": "delete_selected", "_selected_action": cast.foreign["metering.rejectedmessage"].pk,
            "select_across": "1", "post": "yes"}  # fmt: skip
    ask(cast, "manager", path_of("metering.rejectedmessage"), form, method="post")
    cast.foreign["metering.rejectedmessage"].refresh_from_db()


@pytest.mark.parametrize("label", [label for label in ADMIN if "manager" in ADMIN[label].delete])
def test_the_page_that_asks_before_deleting_names_nothing_foreign(cast, label):
    both_here = {"accounts.tenancy": cast.tenancies["neighbour"], "accounts.apartment": cast.apartments["201"]}
    row = both_here.get(label, cast.own[label])
    assert ask(cast, "manager", f"{path_of(label)}{row.pk}/delete/").status == 200


def test_the_page_that_does_not_delete_a_meter_shows_no_readings(cast):
    """It would list every one of them, and no household would learn who looked."""
    path = f"{path_of('metering.meter')}{cast.own['metering.meter'].pk}/delete/"
    for role in ("manager", "superuser"):
        body = ask(cast, role, path).body
        assert not any(secret in body for owner in READINGS for secret in readings_of(owner))


# --- Questions to the database -------------------------------------------------------------------


def lookups(model, depth=2):
    """All paths over relations, either way, to all fields."""
    for field in model._meta.get_fields():
        name = field.name
        yield name
        if field.is_relation and depth and field.related_model:
            yield from (f"{name}__{rest}" for rest in lookups(field.related_model, depth - 1))


ASKED_BY_FILTERS = {
    "accounts.building": {"timezone", "currency"},
    "accounts.apartment": {"building", "floor", "building__id"},
    "accounts.tenancy": {"apartment__building", "apartment__building__id", "moved_in", "state"},
    "accounts.invitation": {"used_at"},
    "accounts.joinrequest": {"state", "apartment__building", "apartment__building__id"},
    "accounts.user": {"is_active"},
    "accounts.accessrecord": {"what", "tenancy__apartment__building", "tenancy__apartment__building__id", "last_at"},
    "metering.meter": {"building", "building__id", "decoder", "state"},
    "metering.tariff": {"building", "building__id", "version"},
    "metering.reading": {"saved", "meter"},
    "metering.rejectedmessage": {"building", "building__id"},
    "metering.listenerstate": set(),
}


@pytest.mark.parametrize("label", ADMIN)
def test_only_the_filters_on_the_page_may_be_asked(label):
    """Else ?tenancies__residents__password__startswith= and the like would be answered by the number of rows."""
    model_admin, request = admin_of(label), RequestFactory().get("/")
    asked = {*lookups(model_admin.model), "state", "saved"}
    for ending in ("", "__exact", "__startswith", "__gt", "__regex", "__in"):
        allowed = {name for name in asked if model_admin.lookup_allowed(f"{name}{ending}", "1", request)}
        harmless = ASKED_BY_FILTERS[label] if ending in ("", "__exact") else set()
        assert allowed <= harmless, ending


GUESSES = (
    "user/?password__startswith=argon2", "user/?tenancies=1", "user/?managed_buildings=1", "user/?is_superuser=1",
    "tenancy/?residents__password__startswith=a", "tenancy/?residents=1", "tenancy/?residents__email__contains=a",
    "apartment/?building__managers__email__startswith=a", "apartment/?tenancies__residents__email=a",
    "invitation/?token_hash__startswith=a", "invitation/?created_by__email__startswith=a",
    "joinrequest/?user__password__startswith=a", "building/?managers__password__startswith=a",
)  # fmt: skip


def test_a_guess_is_refused(cast):
    answers = {query: ask(cast, "manager", f"/admin/accounts/{query}").status for query in GUESSES}
    assert answers == dict.fromkeys(GUESSES, 400)


@pytest.mark.parametrize("label", ADMIN)
def test_only_columns_on_the_page_are_searched_or_sorted(label):
    """A search by a hidden field, or an order by it, tells its value bit by bit."""
    model_admin = admin_of(label)
    searched = {
        "accounts.building": ("name", "slug"), "accounts.apartment": ("number", "floor", "building__name"),
        "accounts.tenancy": ("apartment__number", "residents__email"), "accounts.user": ("email",),
        "accounts.invitation": ("tenancy__apartment__number", "used_by__email"),
        "accounts.joinrequest": ("user__email", "apartment__number"),
        "accounts.accessrecord": ("viewer__email", "tenancy__apartment__number"),
        "metering.meter": ("serial", "topic", "apartment__number"), "metering.rejectedmessage": ("topic", "reason"),
    }  # fmt: skip
    assert tuple(model_admin.search_fields) == searched.get(label, ())
    for column in model_admin.list_display:
        order = getattr(getattr(model_admin, column, None), "admin_order_field", None)
        assert order is None or "password" not in str(order)
        try:
            field = model_admin.model._meta.get_field(column)
        except FieldDoesNotExist:
            continue
        assert field.name not in {"password", "token_hash"}


def test_related_pages_take_no_other_key(cast):
    """?_to_field= would fetch a user by the hash of a password."""
    for name in ("password", "email"):
        assert ask(cast, "manager", f"{path_of('accounts.user')}?_to_field={name}&_popup=1").status == 400


# --- More than a manager -------------------------------------------------------------------------


def test_a_manager_does_not_become_superuser(cast):
    me, before = cast.people["manager"], snapshot()
    form = {"email": address("manager"), "is_superuser": "on", "is_active": "on", "last_login_0": "2026-01-01"}
    for path in (f"{me.pk}/change/", f"{cast.people['resident'].pk}/change/", "add/"):
        assert ask(cast, "manager", path_of("accounts.user") + path, form, method="post").status == 403
    assert snapshot() == before


def test_a_manager_takes_no_residents_account(cast):
    """Neither by password, nor by address, nor by session."""
    resident, before = cast.people["resident"], snapshot()
    path = f"{path_of('accounts.user')}{resident.pk}/"
    form = {"password1": "another horse 8", "password2": "another horse 8", "usable_password": "true"}
    assert ask(cast, "manager", f"{path}password/", form, method="post").status == 403
    assert ask(cast, "manager", f"{path}change/", {"email": address("manager")}, method="post").status == 403
    assert ask(cast, "manager", f"{path}delete/", {"post": "yes"}, method="post").status == 403
    assert snapshot() == before
    assert not [model for model in site._registry if model._meta.label_lower in {"sessions.session", "auth.group"}]


def test_a_manager_makes_no_managers(cast):
    house = cast.own["accounts.building"]
    form = {"name": "New name", "timezone": "Europe/Berlin", "currency": "EUR", "managers": [cast.people["pending"].pk]}
    ask(cast, "manager", f"{path_of('accounts.building')}{house.pk}/change/", form, method="post")
    house.refresh_from_db()
    assert house.name == "New name"
    assert list(house.managers.all()) == [cast.people["manager"]]


def test_who_is_no_manager_any_more_sees_nothing_at_once(cast):
    """Nor after the account was switched off."""
    Building.objects.get(slug="house").managers.clear()
    assert ask(cast, "manager", path_of("metering.reading")).status == "/admin/login/"
    User.objects.filter(email=address("other_manager")).update(is_active=False)
    assert ask(cast, "other_manager", path_of("metering.reading")).status == "/admin/login/"


def test_a_foreign_reading_is_found_by_no_filter(cast):
    foreign = cast.foreign["metering.meter"].pk
    for query in (f"meter={foreign}", f"meter={foreign}&saved=yes", "saved=yes", f"meter__exact={foreign}"):
        said = ask(cast, "manager", f"{path_of('metering.reading')}?{query}")
        assert said.status in {200, 302, 400, path_of("metering.reading")}


def test_an_invitation_goes_to_ones_own_tenancies(cast):
    form = {"expires_at_0": str(NOON.date() + dt.timedelta(days=3)), "expires_at_1": "00:00:00"}
    add = path_of("accounts.invitation") + "add/"
    number = Invitation.objects.count()
    for tenancy in (cast.foreign["accounts.tenancy"].pk, MISSING):
        assert ask(cast, "manager", add, form | {"tenancy": tenancy}, method="post").status == 200
    assert Invitation.objects.count() == number
    assert ask(cast, "manager", add, form | {"tenancy": cast.tenancies["next"].pk}, method="post").status == 200
    assert Invitation.objects.count() == number + 1


def test_a_tenancy_moves_to_no_foreign_apartment(cast):
    tenancy = cast.tenancies["resident"]
    form = {"moved_in": "2025-10-19", "moved_out": "", "residents": [cast.people["resident"].pk]}
    path = f"{path_of('accounts.tenancy')}{tenancy.pk}/change/"
    said = ask(cast, "manager", path, form | {"apartment": cast.apartments["777"].pk}, method="post")
    assert "apartment" in said.response.context["adminform"].form.errors
    assert Tenancy.objects.get(pk=tenancy.pk).apartment == cast.apartments["101"]


def test_a_page_of_readings_is_filled_with_ones_own(cast):
    """Where the other building's meters are louder, one's own still appear, and are counted alone."""
    for seconds in range(60):
        ReadingFactory(
            meter=cast.foreign["metering.meter"], taken_at=NOON - dt.timedelta(seconds=seconds), power=7777.25
        )
    said = ask(cast, "manager", path_of("metering.reading"))
    assert readings_of("resident")[2] in said.body
    assert said.response.context["cl"].result_count == 6


def test_numbers_of_apartments_may_be_the_same_next_door(cast):
    """A number in use elsewhere is no secret that an error could tell."""
    form = {"building": cast.own["accounts.building"].pk, "number": "777", "floor": "1",
            "meters-TOTAL_FORMS": 0, "meters-INITIAL_FORMS": 0}  # fmt: skip
    assert (
        ask(cast, "manager", f"{path_of('accounts.apartment')}add/", form, method="post").status
        == "/admin/accounts/apartment/"
    )
    assert Apartment.objects.filter(number="777").count() == 2
