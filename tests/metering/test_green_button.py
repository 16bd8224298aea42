"""The Green Button file, read back by a reader that others wrote, and held against the published schema.

The schema is espi.xsd, version 4.0.20231213 (NAESB REQ.21 ESPI), with its atom.xsd, from the Green Button Alliance's
repository OpenESPI-Common-java.
"""

import datetime as dt
import io
import itertools
import re
import uuid
import xml.etree.ElementTree as ET
import zoneinfo

import pytest
from greenbutton_objects.enums import (
    AccumulationBehaviourType,
    CommodityType,
    DataQualifierType,
    FlowDirectionType,
    KindType,
    PhaseCode,
    QualityOfReading,
    ServiceKind,
    TimeAttributeType,
    UomType,
)
from greenbutton_objects.parse import parse_feed
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.export.green_button import Quarter, Series, green_button

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOON = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
QUARTER = dt.timedelta(minutes=15)
ATOM = "{http://www.w3.org/2005/Atom}"
ESPI = "{http://naesb.org/espi}"

# The children of each type that the file uses, in the schema's order; those with a star must be there.
SCHEMA = {
    "LocalTimeParameters": "batchItemInfo dstEndRule* dstOffset* dstStartRule* tzOffset*",
    "UsagePoint": "batchItemInfo roleFlags ServiceCategory status serviceDeliveryPoint",
    "ServiceCategory": "kind*",
    "MeterReading": "batchItemInfo",
    "ReadingType": "batchItemInfo accumulationBehaviour commodity consumptionTier currency dataQualifier defaultQuality"
    " flowDirection intervalLength kind phase powerOfTenMultiplier timeAttribute tou uom cpp interharmonic"
    " measuringPeriod argument",
    "IntervalBlock": "batchItemInfo interval IntervalReading",
    "interval": "duration* start*",
    "IntervalReading": "cost ReadingQuality timePeriod value consumptionTier tou cpp",
    "ReadingQuality": "quality*",
    "timePeriod": "duration* start*",
}
# What the Green Button Alliance and RFC 4287 ask of a feed and an entry, in any order.
ATOM_CHILDREN = {
    "feed": {"id", "title", "updated", "author", "link"},
    "entry": {"id", "title", "updated", "published", "link", "content"},
}


def quarters(begin, number, energy=lambda n: 1000 + n, complete=lambda n: True):
    """Consecutive quarter hours."""
    return [Quarter(begin + n * QUARTER, energy(n), complete(n)) for n in range(number)]


def taken(*rows, key="12345/taken", title="Meter 12345, taken from the grid"):
    return Series(key, title, exported=False, quarters=rows)


def given_back(*rows, key="12345/given", title="Meter 12345, given to the grid"):
    return Series(key, title, exported=True, quarters=rows)


def written(*series, title="Apartment 101", zone=BERLIN, updated=NOON):
    return b"".join(green_button(title, series, zone, updated))


def tree(*series, **options):
    return ET.fromstring(written(*series, **options))


def read_back(*series, **options):
    """The meter readings as the other reader finds them, in order of their titles."""
    points = parse_feed(io.BytesIO(written(*series, **options)))
    assert all(point.serviceCategory is ServiceKind.electricity for point in points)
    return sorted((reading for point in points for reading in point.meterReadings), key=lambda reading: reading.title)


def rows_of(reading):
    """Quarter hours as the other reader finds them. It counts in Wh."""
    assert all(one.timePeriod.duration == QUARTER and one.value_units is UomType.wattHours
               for one in reading.intervalReadings)  # fmt: skip
    return [
        Quarter(one.timePeriod.start, round(one.value * 1000), not one.readingQualities)
        for one in reading.intervalReadings
    ]


def blocks_of(reading):
    """Beginning and duration in hours of each interval block."""
    return [(block.interval.start, block.interval.duration / dt.timedelta(hours=1)) for block in reading.intervalBlocks]


def in_berlin(*date_and_time):
    return dt.datetime(*date_and_time, tzinfo=BERLIN).astimezone(dt.UTC)


def test_another_reader_finds_every_quarter_hour():
    energies = [0, 1, 999, 1_000_001, 123_456_789_012, 2**47 - 1]
    imported = quarters(in_berlin(2026, 11, 22, 23), 12, lambda n: energies[n % 6], lambda n: n % 3 != 1)
    exported = quarters(in_berlin(2026, 11, 23), 4, lambda n: n)
    given_reading, taken_reading = read_back(taken(*imported), given_back(*exported))
    assert taken_reading.title == "Meter 12345, taken from the grid"
    assert rows_of(taken_reading) == imported
    assert rows_of(given_reading) == exported
    assert blocks_of(taken_reading) == [(in_berlin(2026, 11, 22, 23), 1), (in_berlin(2026, 11, 23), 2)]


def test_another_reader_finds_what_is_measured():
    given_reading, taken_reading = read_back(taken(), given_back())
    kind = taken_reading.readingType
    assert kind.uom is UomType.wattHours
    assert kind.powerOfTenMultiplier == -3
    assert kind.commodity is CommodityType.electricity
    assert kind.kind is KindType.energy
    assert kind.accumulationBehaviour is AccumulationBehaviourType.deltaData
    assert kind.dataQualifier is DataQualifierType.normal
    assert kind.timeAttribute is TimeAttributeType.notApplicable
    assert kind.phase is PhaseCode.notApplicable
    assert kind.intervalLength == 900
    assert kind.flowDirection is FlowDirectionType.forward
    assert given_reading.readingType.flowDirection is FlowDirectionType.reverse


def test_quarter_hours_that_are_not_complete_are_questionable():
    (reading,) = read_back(taken(*quarters(NOON, 3, complete=lambda n: n != 1)))
    found = [[quality.quality for quality in one.readingQualities] for one in reading.intervalReadings]
    assert found == [[], [QualityOfReading.questionable], []]


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)], ids=["23 h", "25 h", "24 h"]
)
def test_a_block_is_a_local_day(day, hours):
    begin = in_berlin(*day)
    rows = quarters(begin - 4 * QUARTER, 4 + 4 * hours + 4)
    (reading,) = read_back(taken(*rows))
    end = begin + dt.timedelta(hours=hours)
    assert blocks_of(reading) == [(begin - 4 * QUARTER, 1), (begin, hours), (end, 1)]
    assert rows_of(reading) == rows


def test_a_block_reaches_over_a_gap_and_not_over_what_is_missing_at_its_ends():
    day = quarters(in_berlin(2026, 11, 23), 96)
    rows = [*day[4:8], *day[40:42], day[90]]
    (reading,) = read_back(taken(*rows, *quarters(in_berlin(2026, 11, 25), 1)))
    assert rows_of(reading)[:-1] == rows
    assert blocks_of(reading) == [(day[4].begin, 21.75), (in_berlin(2026, 11, 25), 0.25)]


def test_days_are_those_of_the_zone():
    kathmandu = zoneinfo.ZoneInfo("Asia/Kathmandu")
    midnight = dt.datetime(2026, 11, 23, tzinfo=kathmandu).astimezone(dt.UTC)
    (reading,) = read_back(taken(*quarters(midnight - QUARTER, 2)), zone=kathmandu)
    assert blocks_of(reading) == [(midnight - QUARTER, 0.25), (midnight, 0.25)]


def test_a_series_may_be_empty():
    readings = read_back(taken(), given_back(*quarters(NOON, 1)))
    assert [len(rows_of(reading)) for reading in readings] == [1, 0]


def test_there_may_be_no_series():
    root = tree()
    assert root.find(f"{ATOM}title").text == "Apartment 101"
    assert [child.tag for child in root.iterfind(f"{ATOM}entry/{ATOM}content/")] == [f"{ESPI}LocalTimeParameters"]


def full_tree():
    rows = quarters(in_berlin(2026, 11, 22, 23), 8, complete=lambda n: n % 2)
    return tree(taken(*rows), given_back(*rows))


def test_what_the_schema_asks_for_is_there_in_its_order():
    elements = [element for element in full_tree().iter() if element.tag.startswith(ESPI) and len(element)]
    assert {element.tag.removeprefix(ESPI) for element in elements} == SCHEMA.keys() - {"MeterReading"}
    for element in elements:
        allowed = SCHEMA[element.tag.removeprefix(ESPI)].split()
        names = [name.rstrip("*") for name in allowed]
        found = [child.tag.removeprefix(ESPI) for child in element]
        once = [name for name, _ in itertools.groupby(found)]
        assert once == [name for name in names if name in found], element.tag
        assert {name.rstrip("*") for name in allowed if name.endswith("*")} <= set(found), element.tag


def test_feed_and_entries_are_whole():
    for name, children in ATOM_CHILDREN.items():
        for element in full_tree().iter(f"{ATOM}{name}"):
            assert children == {child.tag.removeprefix(ATOM) for child in element} - {"entry"}
            assert element.find(f"{ATOM}updated").text == "2026-11-23T11:00:00Z"


def test_ids_are_unlike_and_stay():
    ids = [element.text for element in full_tree().iter(f"{ATOM}id")]
    assert all(uuid.UUID(one.removeprefix("urn:uuid:")).version == 5 for one in ids)
    assert len(set(ids)) == len(ids) == 1 + 1 + 2 * (3 + 2)
    assert ids == [element.text for element in full_tree().iter(f"{ATOM}id")]


def test_entries_are_linked():
    links = {}
    for entry in full_tree().iter(f"{ATOM}entry"):
        (content,) = entry.find(f"{ATOM}content")
        found = [(link.get("rel"), link.get("href")) for link in entry.iter(f"{ATOM}link")]
        links.setdefault(content.tag.removeprefix(ESPI), []).append(found)
    (clock,) = links["LocalTimeParameters"]
    for point, reading, kind in zip(links["UsagePoint"], links["MeterReading"], links["ReadingType"], strict=True):
        assert ("related", href(clock, "self")) in point
        assert ("related", href(reading, "up")) in point
        assert ("related", href(kind, "self")) in reading
        assert href(reading, "self").startswith(f"{href(point, 'self')}/MeterReading/")
        blocks = [block for block in links["IntervalBlock"] if ("related", href(block, "up")) in reading]
        assert len({href(block, "self") for block in blocks}) == 2


def href(links, rel):
    return next(href for name, href in links if name == rel)


def test_pieces_come_while_the_source_is_read():
    number, read, sizes = 500_000, 0, []

    def source():
        nonlocal read
        begin = dt.datetime(2012, 1, 1, tzinfo=dt.UTC)
        for n in range(number):
            read += 1
            yield Quarter(begin + n * QUARTER, n, n % 7 > 0)

    before = 0
    for piece in green_button("Much", [Series("much", "Much", exported=False, quarters=source())], BERLIN, NOON):
        assert read - before < 500
        before = read
        sizes.append(len(piece))
    assert read == number
    assert all(16 * 1024 <= size <= 64 * 1024 for size in sizes[:-1])


any_text = st.text(st.characters(), max_size=40)


@settings(deadline=None)
@given(title=any_text, other=any_text)
def test_any_title_is_well_formed_and_kept(title, other):
    root = tree(taken(*quarters(NOON, 1), title=other), title=title)
    assert (root.find(f"{ATOM}title").text or "") == expected(title)
    assert (root.find(f"{ATOM}entry[2]/{ATOM}title").text or "") == expected(other)


def expected(text):
    """What XML 1.0 can hold, from its production Char; the rest is replaced."""
    kept = [range(0x20, 0xD800), range(0xE000, 0xFFFE), range(0x10000, 0x110000), (0x9, 0xA, 0xD)]
    return "".join(character if any(ord(character) in part for part in kept) else "\ufffd" for character in text)


def test_odd_characters_in_titles():
    odd = "<b>&amp;\"']]>\r\n\t\0\x0b\x1f\ud800\uffff\u202e é 🏠"
    (reading,) = read_back(taken(title=odd), title=odd)
    assert reading.title == "<b>&amp;\"']]>\r\n\t\ufffd\ufffd\ufffd\ufffd\ufffd\u202e é 🏠"


@pytest.mark.parametrize(
    ("zone", "start", "end", "saving", "offset"),
    [
        # As in the Green Button Alliance's examples.
        ("America/New_York", "360E2000", "B40E2000", 3600, -18_000),
        ("Europe/Berlin", "3E0E2000", "AE0E3000", 3600, 3600),
        # In winter its offset is said to be the saving, a negative one: the clock goes as elsewhere.
        ("Europe/Dublin", "3E0E1000", "AE0E2000", 3600, 0),
        ("America/St_Johns", "360E2000", "B40E2000", 3600, -12_600),
        ("Australia/Sydney", "A40E2000", "440E3000", 3600, 36_000),
        ("Australia/Lord_Howe", "A40E2000", "440E2000", 1800, 37_800),
        ("Pacific/Chatham", "9E0E2A8C", "440E3A8C", 3600, 45_900),
        ("Asia/Kolkata", "FFFFFFFF", "FFFFFFFF", 0, 19_800),
        ("Asia/Kathmandu", "FFFFFFFF", "FFFFFFFF", 0, 20_700),
        ("UTC", "FFFFFFFF", "FFFFFFFF", 0, 0),
    ],
)
def test_the_clock_of_a_zone(zone, start, end, saving, offset):
    assert clock_of(zone, NOON) == (start, end, saving, offset)


def test_a_year_in_which_saving_ended_for_good_has_no_rule():
    """In October 2022 Jordan stayed with its summer time."""
    assert clock_of("Asia/Amman", dt.datetime(2022, 2, 1, tzinfo=dt.UTC))[2:] == (0, 7200)
    assert clock_of("Asia/Amman", dt.datetime(2022, 12, 1, tzinfo=dt.UTC)) == ("FFFFFFFF", "FFFFFFFF", 0, 10_800)


def test_a_year_in_which_the_clock_was_not_set_back_to_where_it_came_from_has_no_rule():
    """In 2014 Simferopol set its clock forward by two hours and back by one."""
    assert clock_of("Europe/Simferopol", dt.datetime(2014, 6, 1, tzinfo=dt.UTC)) == ("FFFFFFFF", "FFFFFFFF", 0, 14_400)


def clock_of(zone, updated):
    clock = tree(zone=zoneinfo.ZoneInfo(zone), updated=updated).find(f".//{ESPI}LocalTimeParameters")
    start, end, saving, offset = (
        clock.findtext(f"{ESPI}{name}") for name in ("dstStartRule", "dstEndRule", "dstOffset", "tzOffset")
    )
    assert re.fullmatch("[0-9A-F]{8}", start)
    return start, end, int(saving), int(offset)


@pytest.mark.parametrize("year", [2024, 2026])
@pytest.mark.parametrize(
    "name",
    ["Africa/Cairo", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago", "Antarctica/Troll",
     "Asia/Beirut", "Asia/Jerusalem", "Asia/Tokyo", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Berlin",
     "Europe/Chisinau", "Europe/London", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter"],
)  # fmt: skip
def test_the_rules_say_of_each_hour_of_the_year_what_the_zone_says(name, year):
    zone = zoneinfo.ZoneInfo(name)
    start, end, saving, offset = clock_of(name, dt.datetime(year, 7, 1, tzinfo=dt.UTC))
    standard = dt.timedelta(seconds=offset)
    summer = standard + dt.timedelta(seconds=saving)
    begins, ends = (saving and when(rule, year) - clock for rule, clock in ((start, standard), (end, summer)))
    for half_hour in range(48 * 3, 48 * 362):
        moment = dt.datetime(year, 1, 1, tzinfo=dt.UTC) + half_hour * 2 * QUARTER
        saves = saving and (begins <= moment < ends if begins < ends else not ends <= moment < begins)
        assert moment.astimezone(zone).utcoffset() == (summer if saves else standard), moment


def when(rule, year):
    """The moment that a DstRuleType means in a year, as its documentation in the schema has it, on a clock on UTC."""
    bits = int(rule, 16)
    month, operator, day, weekday = bits >> 28, bits >> 25 & 7, bits >> 20 & 31, bits >> 17 & 7
    assert day == 0
    first = dt.datetime(year, month, 1, bits >> 12 & 31, tzinfo=dt.UTC) + dt.timedelta(seconds=bits & 0xFFF)
    days = [first + dt.timedelta(days=n) for n in range(31)]
    fitting = [one for one in days if one.month == month and one.isoweekday() == weekday]
    return fitting[-1] if operator == 7 else fitting[operator - 2]
