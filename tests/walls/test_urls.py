"""Every path of the site with every role: the tables in table.py and admin_table.py are complete and hold."""

import io
import zipfile

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from metering.my_data import my_data
from tests.walls.admin_table import admin_patterns
from tests.walls.answers import ask
from tests.walls.cast import READINGS, ROLES, leaks, readings_of
from tests.walls.table import GET, LOGIN, POST


def patterns(resolver, prefix=""):
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, path)
        elif isinstance(entry, URLPattern):
            yield path


def test_every_url_is_in_a_table():
    assert set(patterns(get_resolver())) == set(GET) | admin_patterns()
    assert set(POST) <= set(GET)


@pytest.mark.parametrize("pattern", GET)
def test_who_gets_what(cast, pattern):
    row = GET[pattern]
    wrong = {}
    for role in ROLES:
        said = ask(cast, role, row.path)
        if said.status != row.expected(role):
            wrong[role] = said.status
        if row.shows and said.status == 200:
            assert any(secret in said.body for secret in readings_of(role)) == (role in OWN), role
    assert wrong == {}


OWN = {"resident", "former", "next", "neighbour"}


@pytest.mark.parametrize("role", [role for role in ROLES if role not in {"anonymous", "disabled"}])
def test_what_one_takes_away_is_ones_own(cast, role):
    """Also a manager's: what they manage is not about them."""
    archive = zipfile.ZipFile(io.BytesIO(b"".join(my_data(cast.people[role]))))
    text = "\n".join(archive.read(name).decode() for name in archive.namelist())
    assert leaks(role, text) == []
    assert any(secret in text for secret in readings_of(role)) == (role in OWN)
    assert not any(secret in text for owner in READINGS if owner != role for secret in readings_of(owner))


@pytest.mark.parametrize("pattern", POST)
def test_who_may_post(cast, pattern):
    row = POST[pattern]
    answers = {role: ask(cast, role, row.path, method="post").status for role in ROLES}
    assert answers == {role: row.expected(role) for role in ROLES}


@pytest.mark.parametrize("pattern", [name for name in GET if name not in POST and not name.startswith("admin/")])
def test_nothing_else_takes_a_post(cast, pattern):
    answers = {role: ask(cast, role, GET[pattern].path, method="post").status for role in ROLES}
    assert set(answers.values()) <= {LOGIN, 404, 405}
