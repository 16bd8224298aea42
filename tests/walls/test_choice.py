"""The address chooses among one's own apartments and meters. Other people's are not there, on every path."""

import datetime as dt

import pytest
from django.test import Client

from metering.loads import derive_new
from tests.factories import MeterFactory, ReadingFactory, TenancyFactory
from tests.fakes import NOON
from tests.walls.answers import ask
from tests.walls.cast import readings_of
from tests.walls.table import GET

PATHS = ["/", *(row.path for row in GET.values() if (row.waiting, row.living) == (404, 200))]
INVENTED = (
    "apartment=house/999", "apartment=", "apartment=101", "apartment=HOUSE/101", "apartment=house/101%00",
    "meter=0", "meter=", "meter=%00", "meter=-1", f"meter={2**63}", "meter=x", "apartment=house/101&meter=x",
)  # fmt: skip


def foreign(cast):
    meters = [cast.apartments[number].meters.get().pk for number in ("102", "201", "777")]
    homes = [f"apartment={home}" for home in ("house/102", "house/201", "elsewhere/777")]
    return [*homes, *(f"meter={meter}" for meter in [*meters, cast.readings["main"].meter_id])]


def with_query(path, query):
    return f"{path}{'&' if '?' in path else '?'}{query}"


@pytest.mark.parametrize("path", PATHS)
def test_what_is_somebody_elses_answers_like_what_is_not_there(cast, path):
    assert len(PATHS) > 7
    for query in [*INVENTED, *foreign(cast)]:
        assert ask(cast, "resident", with_query(path, query)).status == 404, query


@pytest.mark.parametrize("query", [*INVENTED[:2], "apartment=house/201", "meter=theirs"])
def test_nothing_is_saved_or_let_go_there(cast, query):
    query = query.replace("theirs", str(cast.apartments["201"].meters.get().pk))
    assert ask(cast, "resident", f"/api/save-reading?{query}", method="post").status == 404
    own, theirs = cast.readings["resident"].pk, cast.readings["neighbour"].pk
    for number in (own, theirs):
        assert ask(cast, "resident", f"/api/saved-readings/{number}?{query}", method="delete").status == 404


@pytest.mark.parametrize("query", ["apartment=house/201", "meter=7"])
def test_who_lives_nowhere_has_no_choice(cast, query):
    for role in ("pending", "future", "manager", "superuser"):
        assert ask(cast, role, f"/?{query}").status == 404


@pytest.mark.parametrize(("home", "owner"), [("house/201", "neighbour"), ("elsewhere/777", "stranger")])
def test_of_ones_own_apartments_one_sees_the_one_that_is_named(cast, home, owner):
    client = Client()
    client.force_login(cast.people["both"])
    for path in ("/", "/history", "/api/power-data"):
        body = client.get(with_query(path, f"apartment={home}")).content.decode()
        for other in ("neighbour", "stranger", "resident"):
            assert any(secret in body for secret in readings_of(other)) == (other == owner), (path, other)
    page = client.get(f"/?apartment={home}").content.decode()
    assert page.count(f"apartment={home}") > 5
    assert "Other Court, 777" in page


def test_a_meter_that_was_there_before_or_after_is_none_of_theirs(cast):
    """In 102 each household had a meter of its own."""
    home, day = cast.apartments["102"], dt.timedelta(days=1)
    native = home.meters.get()
    before, after = (MeterFactory(apartment=home, topic=f"house/{name}") for name in ("before", "after"))
    ReadingFactory(meter=before, taken_at=NOON - 20 * day, power=2222.25)
    ReadingFactory(meter=after, taken_at=NOON - day, power=4444.25)
    sum(derive_new())
    for role, own, others in (("former", before, after), ("next", after, before)):
        assert ask(cast, role, f"/?meter={own.pk}").status == 200
        assert ask(cast, role, f"/?meter={native.pk}").status == 200
        assert ask(cast, role, f"/?meter={others.pk}").status == 404
        assert f"meter={others.pk}" not in ask(cast, role, "/").body


def test_a_choice_ends_with_the_tenancy_that_gave_it(cast):
    """The apartment is still theirs to look back at, its new time is not."""
    TenancyFactory(apartment=cast.apartments["101"], moved_in=dt.date(2010, 1, 1), moved_out=dt.date(2011, 1, 1))
    client = Client()
    person = cast.people["neighbour"]
    client.force_login(person)
    TenancyFactory(
        apartment=cast.apartments["102"], moved_in=dt.date(2011, 1, 1), moved_out=dt.date(2012, 1, 1)
    ).residents.add(person)
    assert client.get("/live?apartment=house/102").status_code == 204
    assert client.get("/api/power-data?apartment=house/102").json()["power"] is None
    assert client.get("/api/power-data").json()["power"] == 5555.25
