"""Messages that are no readings, by the thousand, among those that are."""

import random

import pytest

from tests.faults.publisher import reading, topic_of

pytestmark = pytest.mark.fault

KEPT = 5000
"""MAX_REJECTED_MESSAGES"""
KEPT_OF_ONE_TOPIC = 100
"""MAX_REJECTED_OF_ONE_TOPIC"""
MALFORMED = [
    b"nan",
    b"",
    b" ",
    b"offline",
    b"unavailable",
    b"231.7",
    b"231.7 V",
    b"231,7;4,1",
    b"12.N41",
    b"null",
    b"true",
    b'"on"',
    b"[]",
    b"[230, 2]",
    b"{}",
    b"{'voltage': 230, 'current': 2}",
    b'{"voltage": 230, "current": 2',
    b'{"voltage": 230, "current": 2}{"voltage": 230, "current": 2}',
    b'{"voltage": 230; "current": 2}',
    b'\xef\xbb\xbf{"voltage": 230, "current": 2}',
    '{"voltage": 230, "current": 2}'.encode("utf-16"),
    b'{"voltage": 230, "current": 2, "note": "\xc3\x28"}',
    b'{"voltage": 230, "current": 2, "note": "\\ud800", "apartment": "\\ud800"}',
    b'{"voltage": 230, "current": 2, "apartment": "1\\u0000"}',
    b"\x00\x01\x02\x03",
    b"\x1f\x8b\x08\x00" + b"\x07" * 200,
    b'{"voltage": NaN, "current": 2}',
    b'{"voltage": 230, "current": -Infinity}',
    b'{"voltage": 1e400, "current": 2}',
    b'{"voltage": 230, "current": 1e-400, "power": 1e400}',
    b'{"voltage": ' + b"7" * 3000 + b', "current": 2}',
    b'{"voltage": "231", "current": "2"}',
    b'{"voltage": [231, 232, 233], "current": [1, 2, 3]}',
    b'{"voltage": {"value": 231}, "current": 2}',
    b'{"voltage": null, "current": null}',
    b'{"voltage": false, "current": 2}',
    b'{"U": 231, "I": 2}',
    b'{"value": null}',
    b'{"voltage": -231, "current": 2}',
    b'{"voltage": 2147483647, "current": 2}',
    b'{"voltage": 231, "current": 4294967295}',
    b'{"voltage": 231, "current": 2, "power_factor": 4000}',
    b'{"voltage": 231, "current": 2, "energy": -1887436.8}',
    b'{"voltage": 231, "current": 2, "energy": "0x0000A1"}',
    b'{"voltage": 231, "current": 2, "timestamp": 0}',
    b'{"voltage": 231, "current": 2, "timestamp": 1790000000000}',
    b'{"voltage": 231, "current": 2, "timestamp": "yesterday"}',
    b'{"voltage": 231, "current": 2, "timestamp": "2026-02-30T00:00:00Z"}',
    b'{"voltage": 231, "current": 2, "timestamp": "2031-01-01T00:00:00Z"}',
    b'{"voltage": 231, "current": 2, "apartment": "999"}',
    b'{"voltage": 231, "current": 2, "apartment": ["101"]}',
    b'{"x": ' + b'{"x": ' * 5000 + b"1" + b"}" * 5001,
    b"[" * 20_000,
    b'{"voltage": 231, "current": 2, "x": "' + b"y" * 70_000 + b'"}',
]


def bad(number):
    """A malformed message: each kind in turn, and every other time noise."""
    noise = random.Random(number).randbytes(number % 300)
    return topic_of(number), noise if number % 2 else MALFORMED[number // 2 % len(MALFORMED)]


def kept(trial):
    return trial.count("SELECT id FROM metering_rejectedmessage")


@pytest.mark.timeout(180)
def test_10_000_malformed_among_10_000_good(trial):
    readings = 10_000
    listener = trial.listen()
    trial.publish(
        range(2 * readings), lambda number, attempt: bad(number // 2) if number % 2 else reading(number // 2, attempt)
    )
    trial.faults = readings
    trial.finish(readings, listener)
    assert trial.state()["rejected"] == readings
    topics = {topic_of(number) for number in range(readings)}
    assert len(topics) * KEPT_OF_ONE_TOPIC <= kept(trial) < 2 * len(topics) * KEPT_OF_ONE_TOPIC
    assert trial.count("SELECT id FROM metering_rejectedmessage WHERE reason = ''") == 0
    assert "messages were refused" not in listener.said, "half of the messages are good"


@pytest.mark.timeout(120)
def test_nearly_everything_malformed_is_said_loudly(trial):
    listener = trial.listen()
    trial.publish(range(2_000), lambda number, attempt: bad(number) if number % 20 else reading(number // 20, attempt))
    trial.faults = 1_900
    trial.finish(100, listener)
    assert listener.said.count("messages were refused") == 1
    assert trial.state()["rejected"] == 1_900


@pytest.mark.timeout(180)
def test_100_000_invented_topics(trial):
    invented, readings = 100_000, 5_000

    def invention(number, _attempt):
        places = ("house/floor/{}", "b{}/floor/101", "house/floor/\N{RIGHT-TO-LEFT OVERRIDE}{}", "{}/floor/{}")
        place = places[number % len(places)].replace("{}", str(1_000_000 + number))
        return f"electricity/{place}", b'{"voltage": 230, "current": 2}'

    # With DEBUG on, Django keeps the text of statements.
    listener = trial.listen(DEBUG="off", ALLOWED_HOSTS="riser.example.org")
    neighbours = trial.stream(range(readings), rate=500)
    trial.publish(range(invented), invention)
    neighbours.finish()
    trial.faults = invented
    trial.finish(readings, listener)
    assert trial.state()["rejected"] == invented
    assert kept(trial) == KEPT
    assert trial.peak < 150
