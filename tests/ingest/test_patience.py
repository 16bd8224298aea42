"""The database itself says how long it lets the listener wait."""

import contextlib

import pytest
from django.db import connection

from metering.ingest.patience import bound_waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked():
    """Asks on a connection that a listener would make."""
    listener = connection.copy()
    options = listener.settings_dict["OPTIONS"]
    bound_waiting(connection.vendor, options)
    bound_waiting(connection.vendor, options)

    def ask(question):
        with listener.cursor() as cursor:
            return cursor.execute(question).fetchone()[0]

    with contextlib.closing(listener):
        yield ask


def test_a_lock_may_take_two_seconds_and_a_statement_ten(asked):
    answers = {
        "sqlite": {"PRAGMA busy_timeout": 2000},
        "postgresql": {"SHOW lock_timeout": "2s", "SHOW statement_timeout": "10s"},
    }[connection.vendor]
    assert {question: asked(question) for question in answers} == answers


@pytest.mark.parametrize(("given", "kept"), [({}, ""), ({"options": "-c search_path=riser"}, "-c search_path=riser")])
def test_what_the_operator_asked_of_postgresql_stays(given, kept):
    bound_waiting("postgresql", given)
    assert given["options"].startswith(f"{kept} -c lock_timeout=")
