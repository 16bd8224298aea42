"""Hours of a week: what people write, and what it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.week import A_DAY, A_WEEK, ALL_WEEK, describe, parse_hours


def slots(*ranges):
    """(day, from quarter, to quarter)"""
    return sum(1 << (day * A_DAY + quarter) for day, begin, end in ranges for quarter in range(begin, end))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Mon 06:00-22:00", slots((0, 24, 88))),
        ("mon-fri 6:00-22:00", slots(*((day, 24, 88) for day in range(5)))),
        ("Monday – Friday 06:00 – 22:00", slots(*((day, 24, 88) for day in range(5)))),
        ("06:15-06:30", slots(*((day, 25, 26) for day in range(7)))),
        ("Mon-Sun 00:00-24:00", ALL_WEEK),
        ("Tue 22:30-06:30", slots((1, 90, 96), (2, 0, 26))),
        ("Sun 22:00-06:00", slots((6, 88, 96), (0, 0, 24))),
        ("Sat-Mon 00:00-01:00", slots((5, 0, 4), (6, 0, 4), (0, 0, 4))),
        ("Mon 00:00-01:00, Wed 23:45-24:00; Thu 00:00-00:15", slots((0, 0, 4), (2, 95, 96), (3, 0, 1))),
    ],
)
def test_what_it_means(text, meant):
    assert parse_hours(text) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "“” is not understood. Write hours such as Mon-Fri 06:00-22:00, Sat 07:00-13:00."),
        ("at night", "“at night” is not understood"),
        ("Foo 06:00-22:00", "“Foo” is not a day. Days are Mon, Tue, Wed, Thu, Fri, Sat, Sun."),
        ("Mon 06:10-22:00", "“06:10” is not a quarter hour of a day"),
        ("Mon 06:00-25:00", "“25:00” is not a quarter hour of a day"),
        ("Mon 06:75-22:00", "“06:75” is not a quarter hour of a day"),
        ("Mon 06:00-06:00", "“Mon 06:00-06:00” has no length. The whole day is 00:00-24:00."),
        ("Mon 06:00-12:00, Mon-Tue 11:00-13:00", "Mon 11:00-12:00 is in it twice."),
    ],
)
def test_what_is_not_understood(text, why):
    with pytest.raises(ValueError, match=r".") as problem:
        parse_hours(text)
    assert why in str(problem.value)


@given(st.integers(1, ALL_WEEK))
def test_every_set_has_words(found):
    assert parse_hours(describe(found)) == found


@given(st.lists(st.integers(0, A_WEEK - 1), min_size=1, max_size=20, unique=True))
def test_a_few_quarter_hours_too(numbers):
    found = sum(1 << number for number in numbers)
    assert parse_hours(describe(found)) == found


def test_days_with_the_same_hours_are_written_once():
    assert describe(parse_hours("22:00-06:00")) == "Mon-Sun 00:00-06:00, Mon-Sun 22:00-24:00"
