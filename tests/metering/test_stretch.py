import datetime as dt

import pytest

from metering.history.stretch import Stretch, around
from metering.periods import By


def days(first, last):
    return Stretch(dt.date.fromisoformat(first), dt.date.fromisoformat(last))


@pytest.mark.parametrize(
    ("stretch", "kind", "before", "after", "title"),
    [
        (days("2026-11-25", "2026-11-25"), By.DAY, days("2026-11-24", "2026-11-24"), days("2026-11-26", "2026-11-26"),
         "Wednesday 25 November 2026"),
        (days("2026-11-23", "2026-11-29"), By.WEEK, days("2026-11-16", "2026-11-22"), days("2026-11-30", "2026-12-06"),
         "23 to 29 November 2026"),
        (days("2026-11-30", "2026-12-06"), By.WEEK, days("2026-11-23", "2026-11-29"), days("2026-12-07", "2026-12-13"),
         "30 November to 6 December 2026"),
        (days("2026-12-28", "2027-01-03"), By.WEEK, days("2026-12-21", "2026-12-27"), days("2027-01-04", "2027-01-10"),
         "28 December 2026 to 3 January 2027"),
        (days("2026-03-01", "2026-03-31"), By.MONTH, days("2026-02-01", "2026-02-28"), days("2026-04-01", "2026-04-30"),
         "March 2026"),
        (days("2026-01-01", "2026-12-31"), By.YEAR, days("2025-01-01", "2025-12-31"), days("2027-01-01", "2027-12-31"),
         "2026"),
        (days("2026-11-24", "2026-11-26"), None, days("2026-11-21", "2026-11-23"), days("2026-11-27", "2026-11-29"),
         "24 to 26 November 2026"),
    ],
)  # fmt: skip
def test_a_stretch_and_what_lies_beside_it(stretch, kind, before, after, title):
    assert stretch.kind == kind
    assert stretch.before == before
    assert stretch.after == after
    assert stretch.title == title


@pytest.mark.parametrize(
    ("by", "first", "last"),
    [
        (By.DAY, "2024-02-29", "2024-02-29"),
        (By.WEEK, "2024-02-26", "2024-03-03"),
        (By.MONTH, "2024-02-01", "2024-02-29"),
        (By.YEAR, "2024-01-01", "2024-12-31"),
    ],
)
def test_around_a_day(by, first, last):
    assert around(by, dt.date(2024, 2, 29)) == days(first, last)


def test_the_address_names_its_days():
    assert days("2026-11-23", "2026-11-29").query == "since=2026-11-23&until=2026-11-29"
