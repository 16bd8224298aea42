"""Hours of a week as people write them, `Mon-Fri 06:00-22:00, Sat 07:00-13:00`, and as sets of quarter hours.

A set is a whole number of 672 bits: bit 0 is Monday 00:00 to 00:15 of local time, bit 671 Sunday 23:45 to 24:00.
"""

import datetime as dt
import re

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

NAMES = (
    ("monday", "montag"), ("tuesday", "dienstag"), ("wednesday", "mittwoch"), ("thursday", "donnerstag"),
    ("friday", "freitag"), ("saturday", "samstag"), ("sunday", "sonntag"),
)  # fmt: skip
"""In all languages at once: what one person wrote, another one's page must understand. Two letters tell them apart."""
A_DAY = 96
A_WEEK = 7 * A_DAY
ALL_WEEK = (1 << A_WEEK) - 1
EXAMPLE = gettext_lazy("Mon-Fri 06:00-22:00, Sat 07:00-13:00")

_PART = re.compile(
    r"(?:(?P<first>[a-z]{2,10})(?:\s*[-–]\s*(?P<last>[a-z]{2,10}))?\s+)?"
    r"(?P<begins>\d{1,2}:\d{2})\s*[-–]\s*(?P<ends>\d{1,2}:\d{2})",
    re.IGNORECASE,
)


def parse_hours(text: str) -> int:
    """The set of quarter hours that a text means; a window without days holds on all of them.

    Raises ValueError, in words for who wrote it, where it means none, or one of them twice.
    """
    found = 0
    for part in re.split(r"[,;\n]", text):
        window = _parse_window(part.strip())
        if window & found:
            raise ValueError(_("%(hours)s is in it twice.") % {"hours": describe(window & found)})
        found |= window
    return found


def _parse_window(part: str) -> int:
    match = _PART.fullmatch(part)
    if match is None:
        words = {"part": part, "example": EXAMPLE}
        raise ValueError(_("“%(part)s” is not understood. Write hours such as %(example)s.") % words)
    first = _day(match["first"] or "Mon")
    last = _day(match["last"] or match["first"] or "Sun")
    begins, ends = _quarter(match["begins"]), _quarter(match["ends"])
    if begins in {A_DAY, ends}:
        raise ValueError(_("“%(part)s” has no length. The whole day is 00:00-24:00.") % {"part": part})
    # A window over midnight belongs to the days on which it begins.
    length = (ends - begins) % A_DAY or A_DAY
    window = 0
    for day in range(first, last + 1 if last >= first else last + 8):
        window |= _turned((1 << length) - 1, day * A_DAY + begins)
    return window


def _turned(slots: int, by: int) -> int:
    """Moved on by that many quarter hours; what goes beyond Sunday's end begins on Monday."""
    moved = slots << (by % A_WEEK)
    return (moved & ALL_WEEK) | (moved >> A_WEEK)


def _day(name: str) -> int:
    for number, names in enumerate(NAMES):
        if any(full.startswith(name.lower()) for full in names):
            return number
    words = {"name": name, "days": ", ".join(map(str, WEEKDAYS_ABBR.values()))}
    raise ValueError(_("“%(name)s” is not a day. Days are %(days)s.") % words)


def _quarter(clock: str) -> int:
    hours, minutes = (int(part) for part in clock.split(":"))
    quarter, rest = divmod(hours * 60 + minutes, 15)
    if rest or minutes > 59 or quarter > A_DAY:
        raise ValueError(_("“%(clock)s” is not a quarter hour of a day: 00:00, 00:15, … 24:00.") % {"clock": clock})
    return quarter


def describe(slots: int) -> str:
    """A set in the words that parse_hours takes: days with the same hours together."""
    days = [(slots >> (number * A_DAY)) & ((1 << A_DAY) - 1) for number in range(7)]
    parts = []
    first = 0
    for number in range(7):
        if number < 6 and days[number + 1] == days[first]:
            continue
        last = WEEKDAYS_ABBR[number]
        names = last if first == number else f"{WEEKDAYS_ABBR[first]}-{last}"
        parts += [f"{names} {window}" for window in _windows(days[first])]
        first = number + 1
    return ", ".join(parts)


def _windows(day: int) -> list[str]:
    edges = [quarter for quarter in range(A_DAY + 1) if _has(day, quarter) != _has(day, quarter - 1)]
    return [f"{_clock(begin)}-{_clock(end)}" for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _has(day: int, quarter: int) -> bool:
    return 0 <= quarter < A_DAY and bool(day >> quarter & 1)


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


def slot_of(local: dt.datetime) -> int:
    """The quarter hour of the week that a local time falls into."""
    return local.weekday() * A_DAY + (local.hour * 60 + local.minute) // 15
