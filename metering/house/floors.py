"""The order of floors and apartments, whatever a house calls them."""

import re
from math import inf

BASEMENT, GROUND = -1.0, 0.0
TOP = 10_000.0
NAMED = {
    "g": GROUND, "gf": GROUND, "ground": GROUND, "e": GROUND, "eg": GROUND, "rdc": GROUND, "parterre": GROUND,
    "b": BASEMENT, "basement": BASEMENT, "cellar": BASEMENT, "ug": BASEMENT, "kg": BASEMENT, "keller": BASEMENT,
    "attic": TOP, "roof": TOP, "penthouse": TOP, "ph": TOP, "dg": TOP, "dach": TOP,
}  # fmt: skip
NUMBERED = re.compile(r"(?P<below>ug|kg|u|b)?\.?(?P<number>-?\d+(\.\d+)?)[.-]?(?P<suffix>og|ug|st|nd|rd|th)?", re.ASCII)
DIGITS = re.compile(r"(\d+)", re.ASCII)


def level(floor: str) -> float | None:
    """How high a floor such as "3", "-1", "EG", "2.OG" or "B2" lies, the ground floor being 0; None if unclear."""
    name = floor.lower()
    if name in NAMED:
        return NAMED[name]
    found = NUMBERED.fullmatch(name)
    if found is None:
        return None
    number = float(found["number"])
    return -abs(number) if found["below"] or found["suffix"] == "ug" else number


def natural(name: str) -> list[tuple[float, str]]:
    """A key that sorts "9" before "10", "A2" before "A10", and numbers before words."""
    return [(int(part), "") if part.isdecimal() else (inf, part) for part in DIGITS.split(name.lower()) if part]


def from_the_top(floors: set[str]) -> list[str]:
    """The floors, highest first; below them, by name, those whose name does not say where they are."""
    known = sorted((floor for floor in floors if level(floor) is not None), key=natural)
    known.sort(key=lambda floor: level(floor) or 0.0, reverse=True)
    return known + sorted((floor for floor in floors if level(floor) is None), key=natural)
