"""Every admin page of every model with every role, with one's own object, a foreign one and one that is not there."""

import itertools

import pytest
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.contenttypes.models import ContentType
from django.test import RequestFactory

from accounts.models import AccessRecord
from tests.fakes import NOON
from tests.walls.admin_table import ADMIN, EXTRA_ROUTES, ROUTES, TRACED, admin_of, path_of
from tests.walls.answers import ask
from tests.walls.cast import HOUSE, READINGS, ROLES, STAFF, address, readings_of, snapshot

MISSING = 999_999_999
GATE = "/admin/login/"


def test_every_model_route_and_action_is_in_the_table(cast):
    registered = {model._meta.label_lower: model_admin for model, model_admin in admin.site._registry.items()}
    assert set(registered) == set(ADMIN)
    for label, model_admin in registered.items():
        routes = {str(url.pattern) for url in model_admin.get_urls()}
        assert routes == ROUTES | EXTRA_ROUTES.get(label, set()), label
        for role in STAFF:
            request = RequestFactory().get("/")
            request.user = cast.people[role]
            expected = ADMIN[label].superuser_actions if role == "superuser" else ADMIN[label].actions
            assert set(model_admin.get_actions(request)) == set(expected), (label, role)


def answers(cast, path, roles=ROLES, data=None, method="get"):
    return {role: ask(cast, role, path, data, method=method).status for role in roles}


def expected(may, granted=200, refused=403):
    """The rights of a route as answers: whoever is no staff goes to the gate."""
    return {role: (granted if role in may else refused) if role in STAFF else GATE for role in ROLES}


@pytest.mark.parametrize("label", ADMIN)
def test_list_and_add(cast, label):
    assert answers(cast, path_of(label)) == expected(STAFF)
    assert answers(cast, f"{path_of(label)}add/") == expected(ADMIN[label].add)
    assert answers(cast, f"{path_of(label)}add/", method="post") == expected(ADMIN[label].add)


@pytest.mark.parametrize("label", TRACED)
def test_what_was_deleted(cast, label):
    """Of one's own house. The name of a deleted invitation names its apartment."""
    cast.foreign["accounts.invitation"].delete()
    cast.own["accounts.invitation"].delete()
    assert answers(cast, f"{path_of(label)}deleted/") == expected(STAFF)
    page = ask(cast, "manager", f"{path_of('accounts.invitation')}deleted/")
    assert "house/102" in page.body


# Seen by whom: a row of the house, a row elsewhere, and one that does not exist.
SEEN_BY = {"own": ("manager", "superuser"), "foreign": ("other_manager", "superuser"), "missing": ()}


def pk_of(cast, label, kind):
    return MISSING if kind == "missing" else getattr(cast, kind)[label].pk


CELLS = [(label, kind) for label in ADMIN for kind in SEEN_BY if (label, kind) != ("metering.listenerstate", "foreign")]


@pytest.mark.parametrize(("label", "kind"), CELLS)
def test_one_object(cast, label, kind):
    rights, seen = ADMIN[label], SEEN_BY[kind]
    if (label, kind) == ("metering.listenerstate", "own"):
        seen = STAFF
    path = f"{path_of(label)}{pk_of(cast, label, kind)}/"
    page = expected(seen, 200, 404)
    assert answers(cast, f"{path}change/") == page
    assert answers(cast, f"{path}history/") == page
    assert answers(cast, path) == expected(STAFF, f"{path}change/")
    may_delete = {role: page[role] if role in rights.delete else 403 for role in STAFF}
    assert answers(cast, f"{path}delete/") == page | may_delete
    before = snapshot()
    for role in set(ROLES) - set(seen):
        for action, data in (("change", {}), ("change", everything(cast)), ("delete", {"post": "yes"})):
            assert ask(cast, role, f"{path}{action}/", data, method="post").status in {GATE, 403, 404}
    assert snapshot() == before


def everything(cast):
    """A form that would change much, if it were taken."""
    return {
        "name": "taken", "slug": "taken", "timezone": "UTC", "currency": "XXX", "number": "1", "floor": "1",
        "apartment": cast.apartments["101"].pk, "moved_in": "2020-01-01", "residents": cast.people["manager"].pk,
        "email": "taken@example.org", "is_superuser": "on", "is_active": "on", "serial": "taken", "decoder": "native",
        "managers": cast.people["manager"].pk,
    }  # fmt: skip


@pytest.mark.parametrize("kind", SEEN_BY)
def test_only_a_superuser_sets_a_password(cast, kind):
    path = f"/admin/accounts/user/{pk_of(cast, 'accounts.user', kind)}/password/"
    found = 404 if kind == "missing" else 200
    assert answers(cast, path) == expected(("superuser",), found)
    form = {"password1": "another horse 8", "password2": "another horse 8", "usable_password": "true"}
    before = snapshot()
    answers(cast, path, set(ROLES) - {"superuser"}, form, "post")
    assert snapshot() == before


@pytest.mark.parametrize("label", [label for label in ADMIN if label != "metering.listenerstate"])
def test_a_foreign_object_looks_like_one_that_does_not_exist(cast, label):
    """Also in the words: the same page, but for the number that was asked for."""
    foreign = cast.foreign[label].pk
    for page, role in itertools.product(("change", "history", "delete"), ("manager", "resident", "anonymous")):
        said = [ask(cast, role, f"{path_of(label)}{pk}/{page}/") for pk in (foreign, MISSING)]
        assert said[0].status == said[1].status
        assert said[0].body.replace(f"/{foreign}/", "") == said[1].body.replace(f"/{MISSING}/", "")


@pytest.mark.parametrize("label", ADMIN)
def test_the_way_by_content_type_tells_nothing(cast, label):
    content_type = ContentType.objects.get_by_natural_key(*label.split("."))
    found = cast.foreign.get(label, cast.own[label]).pk
    for role in ("manager", "resident"):
        said = [ask(cast, role, f"/admin/r/{content_type.pk}/{pk}/") for pk in (found, MISSING)]
        assert said[0].status == said[1].status == (404 if role in STAFF else GATE)
        assert said[0].body == said[1].body


@pytest.mark.parametrize("label", ADMIN)
def test_filters_searches_and_hierarchies(cast, label):
    """Whatever the page offers for narrowing down, and what it does not: foreign rows come in nowhere."""
    for query in offered(cast, label):
        said = answers(cast, f"{path_of(label)}?{query}", ("anonymous", "resident", "manager", "other_manager"))
        assert said == {"anonymous": GATE, "resident": GATE, "manager": 200, "other_manager": 200}, query


def offered(cast, label):
    """The links of all filters as a superuser sees them, hence with foreign values; sorting; searching."""
    changelist = cast.clients["superuser"].get(path_of(label)).context["cl"]
    for spec in changelist.filter_specs:
        yield from (choice["query_string"].lstrip("?") for choice in spec.choices(changelist))
    for text in ("777", address("stranger"), "elsewhere/odd", "%"):
        yield f"q={text}"
    yield from (f"o={column}" for column in ("-1", "2.-3", "99", "nonsense"))
    yield "all="
    if field := changelist.date_hierarchy:
        yield from (f"{field}__year=2025", f"{field}__year=2026&{field}__month=11")


def test_every_filter_is_one_we_know():
    """Plain fields list their values; those that lead elsewhere list only what is in scope."""
    for label in ADMIN:
        for entry in admin_of(label).list_filter:
            if isinstance(entry, tuple) and "__" in entry[0]:
                assert entry[1] is admin.RelatedOnlyFieldListFilter
            elif isinstance(entry, type):
                assert issubclass(entry, SimpleListFilter)


def test_a_manager_sees_the_whole_house(cast):
    people = ask(cast, "manager", path_of("accounts.user")).body
    assert [name for name in HOUSE - {"nobody", "main"} if address(name) not in people] == []
    readings = ask(cast, "manager", path_of("metering.reading")).body
    assert [owner for owner in READINGS if readings_of(owner)[2] not in readings] == ["stranger"]


RELATIONS = [
    ("accounts", "apartment", "building"), ("accounts", "tenancy", "apartment"), ("accounts", "tenancy", "residents"),
    ("accounts", "building", "managers"), ("accounts", "invitation", "tenancy"), ("accounts", "joinrequest", "user"),
    ("accounts", "joinrequest", "apartment"), ("accounts", "invitation", "used_by"), ("metering", "meter", "building"),
    ("metering", "meter", "apartment"), ("metering", "reading", "meter"), ("metering", "reading", "saved_by"),
    ("metering", "rejectedmessage", "building"),
]  # fmt: skip


@pytest.mark.parametrize(("app", "model", "field"), RELATIONS)
def test_autocomplete_offers_what_the_lists_show(cast, app, model, field):
    for term in ("", "777"):
        path = f"/admin/autocomplete/?app_label={app}&model_name={model}&field_name={field}&term={term}"
        found = answers(cast, path, ("anonymous", "resident", "manager", "other_manager"))
        assert found["anonymous"] == found["resident"] == GATE
        assert {found["manager"], found["other_manager"]} <= {200, 404}


class TestTheEnergyOfABuilding:
    def path(self, cast, kind):
        return f"/admin/accounts/building/{pk_of(cast, 'accounts.building', kind)}/energy/"

    @pytest.mark.parametrize("kind", SEEN_BY)
    @pytest.mark.parametrize("query", ["", "?year=2026", "?year=2026&month=11&format=csv", "?year=x&month=99"])
    def test_is_for_its_managers(self, cast, kind, query):
        assert answers(cast, self.path(cast, kind) + query) == expected(SEEN_BY[kind], 200, 404)

    def test_every_household_of_that_time_can_read_who_looked(self, cast):
        AccessRecord.objects.all().delete()
        ask(cast, "manager", f"{self.path(cast, 'own')}?year={NOON.year}&month={NOON.month}")
        seen = AccessRecord.objects.filter(viewer=cast.people["manager"], what="energy")
        households = {cast.tenancies[name].pk for name in ("resident", "next", "former", "neighbour")}
        begins = [t.moved_in for t in cast.tenancies.values() if t.pk in households]
        assert set(seen.values_list("tenancy", flat=True)) == households, begins
        ask(cast, "superuser", f"{self.path(cast, 'own')}?year={NOON.year - 1}&format=csv")
        seen = AccessRecord.objects.filter(viewer=cast.people["superuser"], what="energy")
        assert set(seen.values_list("tenancy", flat=True)) == households - {cast.tenancies["next"].pk}
