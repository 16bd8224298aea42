"""MQTT topic <-> (building, apartment)."""

import re
from functools import lru_cache
from typing import NamedTuple

PREFIX = "electricity"
LONGEST_LEVEL = 32
LONGEST_NATIVE = 200
"""Characters; long enough to tell a building or an apartment that does not exist from a topic that is none."""
_level = re.compile(r"[A-Za-z0-9._-]+")


class Address(NamedTuple):
    """Whose reading it is. `building` is None on a flat topic, where the payload names the apartment."""

    building: str | None
    apartment: str


def native_topic(building: str, apartment: str) -> str:
    """The topic on which an apartment's meter publishes."""
    return f"{PREFIX}/{building}/floor/{apartment}"


def parse_native(topic: str) -> Address | None:
    """The address a native topic names; None for any other topic."""
    return _parse(topic) if len(topic) <= LONGEST_NATIVE else None


# A building's topics come again and again; invented ones push each other out, and long ones never get in.
@lru_cache(maxsize=4096)
def _parse(topic: str) -> Address | None:
    levels = topic.split("/")
    if len(levels) != 4 or levels[0] != PREFIX or levels[2] != "floor":
        return None
    return Address(levels[1], levels[3])


def is_level(name: str) -> bool:
    """Whether a building or an apartment could have this name."""
    return len(name) <= LONGEST_LEVEL and _is_level(name)


@lru_cache(maxsize=4096)
def _is_level(name: str) -> bool:
    return _level.fullmatch(name) is not None


def printable(text: str) -> str:
    """The text with control, bidi and other invisible characters shown as question marks."""
    return "".join(character if character.isprintable() else "?" for character in text)


def is_flat(topic_filter: str) -> bool:
    """Whether a subscription names one topic for all apartments."""
    return "+" not in topic_filter and "#" not in topic_filter and parse_native(topic_filter) is None
