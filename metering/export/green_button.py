"""Quarter hours of energy as a Green Button file ("Download My Data"), a piece at a time.

The format is NAESB REQ.21 ESPI in an Atom feed (RFC 4287). Names, order and codes follow espi.xsd, version
4.0.20231213, which the Green Button Alliance publishes in its repository OpenESPI-Common-java.
Each series is a usage point of its own with one meter reading, its reading type and one interval block for each
local day. Energy is in thousandths of a Wh, so that figures are those that are stored. The hrefs are relative: they
tie the entries to each other, and no server answers them.
"""

import calendar
import datetime as dt
import itertools
import re
import uuid
import zoneinfo
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape

QUARTER_SECONDS = 900
# A piece is sent once it has this many bytes. One local day more, with every quarter hour marked, stays below 64 KiB.
PIECE_BYTES = 32 * 1024
# FlowDirectionKind: "forward" is delivered to the customer, "reverse" is given back; both count upwards.
FORWARD = 1
REVERSE = 19
# QualityOfReading: "questionable", which has failed one or more checks. There is no code for a part that is missing,
# and the codes for estimates say of a missing part that it was filled, which holds only where a register counted on.
QUESTIONABLE = 10
# DstRuleType: no daylight saving time.
NO_RULE = 0xFFFFFFFF
# DstRuleType, operators: the first occurrence of a weekday in its month (the second is one more), and the last.
FIRST = 2
LAST = 7
# Ids are made of this and of a series' key, so that the same entry has the same id in every file.
IDS = uuid.UUID("12959c7f-614b-4ce1-bcdd-bbbfaed4a260")
_ESPI = "http://naesb.org/espi"
# ServiceKind: electricity.
_POINT = f'<UsagePoint xmlns="{_ESPI}"><ServiceCategory><kind>0</kind></ServiceCategory></UsagePoint>'
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Quarter(NamedTuple):
    """The energy of one quarter hour."""

    begin: dt.datetime
    """Aware."""
    energy: int
    """mWh: thousandths of a Wh."""
    complete: bool
    """Whether readings covered (nearly) all of it."""


@dataclass(frozen=True)
class Series:
    """The quarter hours of one meter in one direction, in order of time. They are read once, as they are needed."""

    key: str
    """Stable text that names meter and direction: the ids are made of it."""
    title: str
    exported: bool
    """False: taken from the grid. True: given to the grid."""
    quarters: Iterable[Quarter]


class LocalTime(NamedTuple):
    """A zone's clock in one year, as ESPI's TimeConfiguration has it: offsets in seconds, rules as DstRuleType."""

    end_rule: int
    dst_offset: int
    start_rule: int
    tz_offset: int


class _Change(NamedTuple):
    """A zone's clock is set. `wall` is what it showed at that moment; offsets are from UTC."""

    wall: dt.datetime
    before: dt.timedelta
    after: dt.timedelta


def green_button(
    title: str, series: Iterable[Series], zone: zoneinfo.ZoneInfo, updated: dt.datetime
) -> Iterator[bytes]:
    """The file in UTF-8, in pieces of 32 to 64 KiB and a rest.

    No more than a local day of quarter hours is held at a time. Days are those of the zone, whose clock is described
    as it is in the year of `updated` (aware), the moment that all entries bear. A title may be any text: what XML
    cannot hold is replaced by U+FFFD.
    """
    return _pieces(_feed(title, tuple(series), zone, updated))


def local_time(zone: zoneinfo.ZoneInfo, moment: dt.datetime) -> LocalTime:
    """The zone's clock in the year of that moment.

    Daylight saving time begins where the clock is set forward and ends where it is set back, whatever the zone calls
    it. On the southern half of the earth its end therefore comes first in the year; the schema's text has only the
    other order in mind. A year in which the clock is not set exactly once each way has no rule: then the offset is
    that of the moment.
    """
    changes = sorted(_changes(zone, moment.astimezone(zone).year), key=lambda change: change.after - change.before)
    match changes:
        case [end, start] if end.after == start.before < start.after == end.before:
            offset = start.after - start.before
            return LocalTime(_rule(end.wall), _seconds(offset), _rule(start.wall), _seconds(start.before))
        case _:
            return LocalTime(NO_RULE, 0, NO_RULE, _seconds(_offset(moment, zone)))


def _pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """The texts, gathered into pieces worth sending."""
    gathered = bytearray()
    for text in texts:
        gathered += text.encode()
        if len(gathered) >= PIECE_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _feed(title: str, series: Sequence[Series], zone: zoneinfo.ZoneInfo, updated: dt.datetime) -> Iterator[str]:
    stamp = _stamp(updated)
    feed = _id("feed", *(one.key for one in series))
    clock = f"LocalTimeParameters/{_id('clock', str(feed))}"
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>urn:uuid:{feed}</id>\n<title>{_text(title)}</title>\n<updated>{stamp}</updated>\n"
        "<author><name>Riser</name></author>\n"
        f'<link rel="self" href="Batch/RetailCustomer/{feed}/UsagePoint"/>\n'
    )
    yield _entry(clock, (), str(zone), _clock(local_time(zone, updated)), stamp)
    for one in series:
        yield from _series(one, f"RetailCustomer/{feed}/UsagePoint/{_id('point', one.key)}", clock, zone, stamp)
    yield "</feed>\n"


def _series(series: Series, point: str, clock: str, zone: zoneinfo.ZoneInfo, stamp: str) -> Iterator[str]:
    """Its usage point, meter reading, reading type and interval blocks. `point` and `clock` are hrefs."""
    reading = f"{point}/MeterReading/{_id('reading', series.key)}"
    kind = f"ReadingType/{_id('type', series.key)}"
    blocks = f"{reading}/IntervalBlock"
    yield _entry(point, (f"{point}/MeterReading", clock), series.title, _POINT, stamp)
    yield _entry(reading, (blocks, kind), series.title, f'<MeterReading xmlns="{_ESPI}"/>', stamp)
    yield _entry(kind, (), series.title, _kind(REVERSE if series.exported else FORWARD), stamp)
    for day, quarters in itertools.groupby(series.quarters, lambda quarter: quarter.begin.astimezone(zone).date()):
        name = day.isoformat()
        yield _entry(f"{blocks}/{_id('block', series.key, name)}", (), name, _block(list(quarters)), stamp)


def _entry(href: str, related: Iterable[str], title: str, content: str, stamp: str) -> str:
    """An entry of the feed. Its href ends in its id; above that is the collection that it lies in."""
    collection, _, name = href.rpartition("/")
    links = "".join(f'<link rel="related" href="{other}"/>' for other in related)
    return (
        f'<entry>\n<id>urn:uuid:{name}</id>\n<link rel="self" href="{href}"/>'
        f'<link rel="up" href="{collection}"/>{links}\n'
        f'<title>{_text(title)}</title>\n<content type="application/xml">{content}</content>\n'
        f"<published>{stamp}</published><updated>{stamp}</updated>\n</entry>\n"
    )


def _kind(direction: int) -> str:
    """The reading type: energy (kind 12) of electricity (1) in thousandths (-3) of a Wh (72), as the difference between
    the ends of an interval (4). It is no average, maximum or minimum (12, normal) and of no single phase (0).
    """
    return (
        f'<ReadingType xmlns="{_ESPI}"><accumulationBehaviour>4</accumulationBehaviour><commodity>1</commodity>'
        f"<dataQualifier>12</dataQualifier><flowDirection>{direction}</flowDirection>"
        f"<intervalLength>{QUARTER_SECONDS}</intervalLength><kind>12</kind><phase>0</phase>"
        "<powerOfTenMultiplier>-3</powerOfTenMultiplier><timeAttribute>0</timeAttribute><uom>72</uom></ReadingType>"
    )


def _block(quarters: Sequence[Quarter]) -> str:
    """The quarter hours of a day. The interval reaches from the first to the end of the last: it claims no more."""
    begin = _unix(quarters[0].begin)
    duration = _unix(quarters[-1].begin) + QUARTER_SECONDS - begin
    return (
        f'<IntervalBlock xmlns="{_ESPI}"><interval><duration>{duration}</duration><start>{begin}</start></interval>\n'
        f"{''.join(map(_reading, quarters))}</IntervalBlock>"
    )


def _reading(quarter: Quarter) -> str:
    quality = "" if quarter.complete else f"<ReadingQuality><quality>{QUESTIONABLE}</quality></ReadingQuality>"
    return (
        f"<IntervalReading>{quality}<timePeriod><duration>{QUARTER_SECONDS}</duration>"
        f"<start>{_unix(quarter.begin)}</start></timePeriod><value>{quarter.energy}</value></IntervalReading>\n"
    )


def _clock(clock: LocalTime) -> str:
    return (
        f'<LocalTimeParameters xmlns="{_ESPI}"><dstEndRule>{clock.end_rule:08X}</dstEndRule>'
        f"<dstOffset>{clock.dst_offset}</dstOffset><dstStartRule>{clock.start_rule:08X}</dstStartRule>"
        f"<tzOffset>{clock.tz_offset}</tzOffset></LocalTimeParameters>"
    )


def _rule(wall: dt.datetime) -> int:
    """DstRuleType, bits from the right: 12 for the seconds in the hour, 5 for the hour, 3 for the weekday (Monday
    is 1), 5 for a day of the month (here none), 3 for the operator, 4 for the month.

    Of a date that is both the fourth and the last of its kind the last is taken, as most laws put it.
    """
    last = wall.day + 7 > calendar.monthrange(wall.year, wall.month)[1]
    operator = LAST if last else FIRST + (wall.day - 1) // 7
    return (
        wall.month << 28 | operator << 25 | wall.isoweekday() << 17 | wall.hour << 12 | wall.minute * 60 + wall.second
    )


def _changes(zone: zoneinfo.ZoneInfo, year: int) -> Iterator[_Change]:
    """Where the zone's clock is set in a local year, in order. It is looked for from day to day, then to the second."""
    moment = dt.datetime(year, 1, 1, tzinfo=zone).astimezone(dt.UTC)
    end = dt.datetime(year + 1, 1, 1, tzinfo=zone).astimezone(dt.UTC)
    while moment < end:
        later = min(moment + dt.timedelta(days=1), end)
        before, after = _offset(moment, zone), _offset(later, zone)
        if before != after:
            changed = _first_with(after, moment, later, zone)
            yield _Change((changed + before).replace(tzinfo=None), before, after)
        moment = later


def _first_with(
    offset: dt.timedelta, early: dt.datetime, late: dt.datetime, zone: zoneinfo.ZoneInfo
) -> dt.datetime:  # fmt: skip
    """The first second with this offset: `early` does not have it, `late` has."""
    while (seconds := _seconds(late - early)) > 1:
        middle = early + dt.timedelta(seconds=seconds // 2)
        early, late = (early, middle) if _offset(middle, zone) == offset else (middle, late)
    return late


def _offset(moment: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.timedelta:
    return moment.astimezone(zone).utcoffset() or dt.timedelta()


def _seconds(delta: dt.timedelta) -> int:
    return delta // dt.timedelta(seconds=1)


def _unix(moment: dt.datetime) -> int:
    return int(moment.timestamp())


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(text: str) -> str:
    """Any text as XML. A carriage return is written as a reference: readers take a bare one for a new line."""
    return escape(_NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})


def _id(*names: str) -> uuid.UUID:
    return uuid.uuid5(IDS, "\n".join(names))
