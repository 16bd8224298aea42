"""The topics that meters publish to, as a manager fills them in."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from metering.ingest.topics import native_topic, parse_native
from metering.models.meter import validate_meter_topic

native_like = st.tuples(st.text(max_size=4), st.text(max_size=4)).map(lambda pair: native_topic(*pair))


def problem_with(topic):
    try:
        validate_meter_topic(topic)
    except ValidationError as problem:
        return problem.message
    return ""


@given(st.text() | native_like)
def test_a_topic_is_a_meters_own_an_apartments_or_explained(topic):
    problem = problem_with(topic)
    if not problem:
        assert parse_native(topic) is None
        assert topic.isprintable()
        assert not set(topic) & set("+#")


@pytest.mark.parametrize(
    "topic", ["a/+", "a/#", "$SYS/x", "/a", "a/", "a\0", "a\tb", "a\ufffe", "electricity/house/floor/101"]
)
def test_a_meter_cannot_publish_to_these(topic):
    assert problem_with(topic)


def test_a_meter_can_publish_to_an_ordinary_topic():
    assert problem_with("building/main/meter") == ""
