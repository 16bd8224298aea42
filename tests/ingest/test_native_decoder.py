import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.ingest.decoders import DECODERS, InvalidMessage, Limits, Measurement

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
LIMITS = Limits()
decode = DECODERS["native"]


def measure(payload: bytes | str, limits: Limits = LIMITS) -> Measurement:
    return decode(payload.encode() if isinstance(payload, str) else payload, NOW, limits)


def test_the_example_message():
    measured = measure('{"voltage": 220.5, "current": 2.3, "apartment": "101", "floor": "1"}')
    assert (measured.voltage, measured.current, measured.apartment) == (220.5, 2.3, "101")
    assert measured.power == pytest.approx(507.15)
    assert measured.taken_at is None
    assert measured.energy_total is None


def test_the_meters_own_power_counts():
    assert measure('{"voltage": 230, "current": 2, "power": 400, "power_factor": 0.5}').power == 400


def test_power_is_voltage_times_current_times_power_factor():
    assert measure('{"voltage": 230, "current": 2, "power_factor": 0.5}').power == 230
    assert measure('{"voltage": 230, "current": 2, "power_factor": 0}').power == 0


def test_current_below_zero_is_export():
    assert measure('{"voltage": 230, "current": -2}').power == -460


def test_the_register_is_kept():
    assert measure('{"voltage": 230, "current": 2, "energy": 10342.118}').energy_total == 10342.118


@pytest.mark.parametrize("value", ['"2026-11-23T07:59:58.5Z"', '"2026-11-23T08:59:58.5+01:00"', "1795420798.5",
                                   '"2026-11-23T07:59:58.5"'])  # fmt: skip
def test_the_meters_clock_as_iso_8601_or_seconds(value):
    measured = measure(f'{{"voltage": 230, "current": 2, "timestamp": {value}}}')
    assert measured.taken_at == dt.datetime(2026, 11, 23, 7, 59, 58, 500_000, tzinfo=dt.UTC)


def test_optional_fields_may_be_null():
    measured = measure(
        '{"voltage": 230, "current": 2, "power": null, "energy": null, "timestamp": null, "apartment": null}'
    )
    assert (measured.power, measured.energy_total, measured.taken_at, measured.apartment) == (460, None, None, None)


def test_an_apartment_may_be_a_number():
    assert measure('{"voltage": 230, "current": 2, "apartment": 101}').apartment == "101"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "The message is empty."),
        (b" \n", "The message is empty."),
        (b"offline", "The message is not JSON: invalid character (byte 0)."),
        (b'{"voltage": 230, "current": 2', "The message is not JSON: Input data was truncated."),
        (b'{"voltage": 230, "current": 2} x', "The message is not JSON: trailing characters (byte 32)."),
        (b"[230, 2]", "The message is not a JSON object, it is an array."),
        (b"230.5", "The message is not a JSON object, it is a number."),
        (b'"230"', "The message is not a JSON object, it is a string."),
        (b"null", "The message is not a JSON object, it is null."),
        (b"true", "The message is not a JSON object, it is a boolean."),
        (b'{"current": 2}', "voltage is missing."),
        (b'{"voltage": 230}', "current is missing."),
        (b'{"voltage": "230", "current": 2}', "voltage must be a number, it is a string."),
        (b'{"voltage": 230, "current": true}', "current must be a number, it is a boolean."),
        (b'{"voltage": null, "current": 2}', "voltage must be a number, it is null."),
        (b'{"voltage": [230], "current": 2}', "voltage must be a number, it is an array."),
        (b'{"voltage": NaN, "current": 2}', "The message holds NaN or Infinity, which JSON does not know."),
        (b'{"voltage": 230, "current": Infinity}', "The message holds NaN or Infinity, which JSON does not know."),
        (b'{"voltage": 230, "current": -Infinity}', "The message holds NaN or Infinity, which JSON does not know."),
        (b'{"voltage": "NaN", "current": 2}', "voltage must be a number, it is a string."),
        (b'{"voltage": 1e999, "current": 2}', "voltage is out of range."),
        (b'{"voltage": 230, "current": -1e999}', "current is out of range."),
        (b'{"voltage": ' + b"9" * 5000 + b', "current": 2}', "voltage is out of range."),
        (b'{"voltage": -0.1, "current": 2}', "voltage is below zero: -0.1 V."),
        (b'{"voltage": 1000.5, "current": 2}', "voltage is implausible: 1000.5 V, the limit is 1000."),
        (b'{"voltage": 230, "current": 10001}', "current is implausible: 10001 A, the limit is 10000."),
        (b'{"voltage": 230, "current": -10001}', "current is implausible: -10001 A, the limit is 10000."),
        (b'{"voltage": 230, "current": 2, "power": 1e9}', "power is implausible: 1e+09 W, the limit is 1e+07."),
        (b'{"voltage": 230, "current": 2, "power_factor": 5000}', "power_factor is implausible: 5000, the limit is 1."),
        (b'{"voltage": 230, "current": 2, "energy": -1}', "energy is below zero: -1 kWh."),
        (b'{"voltage": 230, "current": 2, "energy": "7"}', "energy must be a number, it is a string."),
        (b'{"voltage": 230, "current": 2, "note": "\xff"}', "The message is not UTF-8 text (byte 40)."),
        (b'{"voltage": 230, "current": 2, "x": "' + b"x" * 65536 + b'"}',
         "The message has 65575 bytes; the limit is 65535."),
        (b"[" * 100_000 + b"]" * 100_000, "The message has 200000 bytes; the limit is 65535."),
        (b'{"voltage": 230, "current": 2, "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
         "The message nests brackets too deeply."),
        (b'{"voltage": 230, "current": 2, "timestamp": 0}', "timestamp is 1970-01-01: the meter's clock is not set."),
        (b'{"voltage": 230, "current": 2, "timestamp": "1970-01-01T01:00:00Z"}',
         "timestamp is 1970-01-01: the meter's clock is not set."),
        (b'{"voltage": 230, "current": 2, "timestamp": "2026-11-24T08:00:01Z"}',
         "timestamp is 2026-11-24 08:00 UTC, more than a day ahead."),
        (b'{"voltage": 230, "current": 2, "timestamp": "2019-01-10T22:16:04qq"}',
         "timestamp is not ISO 8601: 2019-01-10T22:16:04qq"),
        (b'{"voltage": 230, "current": 2, "timestamp": 1711922310802}',
         "timestamp is no number of seconds since 1970: 1.71192e+12. Send seconds, not milliseconds."),
        (b'{"voltage": 230, "current": 2, "timestamp": true}',
         "timestamp must be text or a number, it is a boolean."),
        (b'{"voltage": 230, "current": 2, "apartment": {"a": 1}}',
         "apartment must be text or a number, it is an object."),
    ],
)  # fmt: skip
def test_each_bad_message_has_its_own_reason(payload, reason):
    with pytest.raises(InvalidMessage) as refused:
        measure(payload)
    assert refused.value.reason == reason


def test_just_below_the_limits_is_accepted():
    assert measure('{"voltage": 1000, "current": 10000}').power == 1e7
    assert measure('{"voltage": 230, "current": 2, "timestamp": "2026-11-24T08:00:00Z"}').taken_at
    padding = " " * (65_535 - len('{"voltage":1,"current":1}'))
    assert measure('{"voltage":1,"current":1}' + padding).power == 1


def test_limits_are_settings():
    with pytest.raises(InvalidMessage, match="the limit is 260"):
        measure('{"voltage": 261, "current": 2}', Limits(voltage=260))


@pytest.mark.parametrize(
    ("payload", "accepted"),
    [
        # What devices of other families put on a topic a wildcard subscription also receives.
        ("nan", False),
        ('{"Vrms": 239.2, "P1": NaN, "E1": 1611}', False),
        ('{"value": null}', False),
        ("", False),
        ("disconnected", False),
        ('{"current":"0.100","voltage":"121","power":"0","energy":"2147483647"}', False),
        ("05177.N", False),
        ("100,200,300", False),
        ('{"current": 51.2, "current_a": {"0": 2}, "power": 17004, "power_factor": null, "voltage": 51.9}', True),
        ('{"voltage": 52.9, "current": 5.1, "power_factor": 5000}', False),
        ('{"Time":"2023-05-18T20:42:21","ENERGY":{"Total":[99.220,98.114],"Power":[410,8', False),
    ],
)
def test_messages_seen_in_the_field(payload, accepted):
    if accepted:
        assert measure(payload).voltage > 0
    else:
        with pytest.raises(InvalidMessage):
            measure(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
names = st.sampled_from(["voltage", "current", "power", "power_factor", "energy", "timestamp", "apartment", "other"])
anything = st.binary() | (json_values | st.dictionaries(names, json_values)).map(
    lambda value: json.dumps(value).encode()
)
# Near enough to a reading that most of it gets past the first check.
volts, amperes = st.floats(-1, 1001), st.floats(-10_001, 10_001)
nearly = st.fixed_dictionaries(
    {"voltage": volts, "current": amperes},
    optional={
        "power": st.floats(-2e7, 2e7),
        "power_factor": st.floats(-2, 2),
        "energy": st.floats(),
        "timestamp": st.floats() | st.integers() | st.text() | st.datetimes().map(str),
        "apartment": st.integers() | st.text(),
    },
).map(lambda value: json.dumps(value).encode())


def outcome(payload):
    try:
        return measure(payload)
    except InvalidMessage as refused:
        return refused


@given(anything | nearly)
def test_whatever_comes_is_a_plausible_measurement_or_refused_in_words(payload):
    measured = outcome(payload)
    if isinstance(measured, InvalidMessage):
        assert measured.code
        assert measured.reason
        return
    assert 0 <= measured.voltage <= LIMITS.voltage
    assert abs(measured.current) <= LIMITS.current
    assert abs(measured.power) <= LIMITS.voltage * LIMITS.current
    assert measured.energy_total is None or 0 <= measured.energy_total <= 1e12
    assert measured.taken_at is None or measured.taken_at.utcoffset() == dt.timedelta()
    assert measured.taken_at is None or measured.taken_at <= NOW + dt.timedelta(days=1)


EARLIEST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
readings = st.fixed_dictionaries(
    {"voltage": st.floats(0, 1000), "current": st.floats(-10_000, 10_000)},
    optional={
        "power": st.floats(-1e7, 1e7),
        "power_factor": st.floats(-1, 1),
        "energy": st.floats(0, 1e12),
        "timestamp": st.timedeltas(dt.timedelta(), NOW - EARLIEST).map(lambda since: EARLIEST + since),
        "apartment": st.text(),
        "other": json_values,
    },
)


@given(readings)
def test_a_good_reading_comes_through_as_it_is(reading):
    payload = json.dumps(
        reading | {"timestamp": reading["timestamp"].isoformat()} if "timestamp" in reading else reading
    )
    if "NaN" in payload or "Infinity" in payload:
        return
    measured = measure(payload)
    factor = reading.get("power_factor", 1.0)
    assert (measured.voltage, measured.current) == (reading["voltage"], reading["current"])
    assert measured.power == reading.get("power", reading["voltage"] * reading["current"] * factor)
    assert measured.power_factor == reading.get("power_factor")
    assert measured.energy_total == reading.get("energy")
    assert measured.taken_at == reading.get("timestamp")
    assert measured.apartment == reading.get("apartment")
