import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.ingest.topics import Address, is_flat, is_level, native_topic, parse_native, printable

levels = st.from_regex(r"\A[A-Za-z0-9._-]{1,32}\Z")
native_like = st.tuples(st.text(max_size=4), st.text(max_size=4)).map(lambda pair: native_topic(*pair))


@given(levels, levels)
def test_a_native_topic_names_its_address(building, apartment):
    assert parse_native(native_topic(building, apartment)) == Address(building, apartment)


@given(st.text() | st.lists(st.text(max_size=5), max_size=6).map("/".join) | native_like)
def test_whatever_topic_comes_names_its_own_address_or_none(topic):
    address = parse_native(topic)
    if address is None:
        return
    assert native_topic(*address) == topic
    assert "/" not in address.building + address.apartment


@given(st.text() | levels)
def test_a_name_that_could_be_a_level_stays_one_level(name):
    if is_level(name):
        assert parse_native(native_topic("house", name)) == Address("house", name)
        assert printable(name) == name
        assert not set(name) & set("/+#$ ")


@given(st.text())
def test_printable_text_has_its_length_and_nothing_invisible(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable()
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "topic",
    ["", "electricity", "electricity/house/floor", "electricity/house/room/101", "electricity/house/floor/101/power",
     "power/house/floor/101", "$SYS/broker/uptime", "tele/meter/SENSOR"],
)  # fmt: skip
def test_any_other_topic_names_none(topic):
    assert parse_native(topic) is None


@pytest.mark.parametrize("name", ["", "1/2", "a b", "ä", "+", "#", "x" * 33, "a\0b", "101\n"])
def test_what_cannot_be_a_building_or_an_apartment(name):
    assert not is_level(name)


def test_a_subscription_without_wildcards_is_flat():
    assert is_flat("electricity/data")
    assert not is_flat("electricity/+/floor/+")
    assert not is_flat("electricity/#")
    assert not is_flat("electricity/house/floor/101")


def test_invisible_characters_are_shown():
    assert printable("a\u202eb\0c\nd") == "a?b?c?d"


def test_invented_names_take_no_memory():
    tracemalloc.start()
    try:
        for number in range(3000):
            long = f"{number}{'x' * 30_000}"
            assert parse_native(f"electricity/{long}/floor/101") is None
            assert not is_level(long)
        assert tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()
