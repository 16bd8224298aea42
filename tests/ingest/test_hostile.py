"""A rogue meter that knows the code, and a listener that is a process: what it sends stays inert."""

import json
import re
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.deploy.shipped import Client
from tests.ingest.loose_broker import LooseBroker
from tests.waiting import wait_for

pytestmark = pytest.mark.sqlite

TEXTS = {
    "script": "<script>alert(document.cookie)</script>",
    "formula": "=cmd|'/C calc'!A0",
    "sql": "101'; DROP TABLE metering_reading; --",
    "template": "{{ settings.SECRET_KEY }}{% debug %}",
    "format": "%s%n{0.__class__}",
    "bidi": "\N{RIGHT-TO-LEFT OVERRIDE}101\N{RIGHT-TO-LEFT ISOLATE}",
    "control": "\a\b\x7f\x9b2J",
    "new lines": "101\r\nERROR riser.listener: forged\n\N{LINE SEPARATOR}x\x85\v\f",
    "escapes": "\x1b[2J\x1b]0;owned\a\x1b[8m",
    "null": "101\0",
    "tags": "101\N{TAG LATIN SMALL LETTER A}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}",
    "marks": "1" + "\N{COMBINING ACUTE ACCENT}" * 1000,
    "long": "A" * 10_000,
    "longest": "\N{PILE OF POO}" * 10_000,
    "path": "../../../../etc/passwd",
    "nothing": "",
}
PLACES = ["electricity/{}/floor/101", "electricity/house/floor/{}", "electricity/house/{}/101", "{}/house/floor/101",
          "{}", "{}/{}/{}/{}"]  # fmt: skip
BROKEN = [b"electricity/house/floor/\xff\xfe", b"electricity/house/floor/\xed\xa0\x80", b"\xc3(/house/floor/101",
          b"/" * 65535, b"electricity/" + b"\xf0\x9f" * 30_000]  # fmt: skip
TOPIC = b"electricity/house/floor/101"
HUGE = ["9" * 4000, "-" + "9" * 60_000, "1e999999999999", "0." + "1" * 60_000, "1e-999999999999"]
DEEP = ["[" * 30_000 + "]" * 30_000, '{"a":' * 10_000 + "1" + "}" * 10_000, "[" * 60_000]
FIELDS = ["voltage", "current", "power", "power_factor", "energy", "timestamp", "apartment", "floor", "note"]


def payload(**fields):
    return json.dumps({"voltage": 230, "current": 2, **fields}).encode()


def raw(field, value):
    """The same with a value that Python would not write."""
    return payload(**{field: "VALUE"}).replace(b'"VALUE"', value.encode())


MARKER = payload(current=3.14)
# An empty topic is no MQTT: paho ends the connection, and no broker lets it through.
IN_TOPICS = [
    (topic.encode()[:65535], payload())
    for text in TEXTS.values()
    for place in PLACES
    if (topic := place.replace("{}", text))
]
IN_PAYLOADS = [payload(**{field: text}) for text in TEXTS.values() for field in FIELDS]
IN_PAYLOADS += [payload(**{text: text}) for text in TEXTS.values()]
IN_PAYLOADS += [raw(field, value) for field in FIELDS for value in HUGE + DEEP]
IN_PAYLOADS += [raw("apartment", r'"\ud800"'), raw("floor", r'"\udfff\ud800"'), payload() + b"\0", b"\0" * 5000]
IN_PAYLOADS += [text.encode() for text in TEXTS.values()]
IN_PAYLOADS += [payload(apartment="x").replace(b"x", bytes([byte])) for byte in range(256)]
MESSAGES = [*IN_TOPICS, *((topic, payload()) for topic in BROKEN), *((TOPIC, sent) for sent in IN_PAYLOADS)]


@pytest.fixture
def house(installation):
    installation.make_house("101", "201")
    return installation


def test_all_of_it_is_taken_and_none_of_it_does_anything(house):
    with LooseBroker([*MESSAGES, (TOPIC, MARKER)]) as broker:
        every_one = {"MAX_REJECTED_OF_ONE_TOPIC": "1000", "MAX_REJECTED_MESSAGES": "10000"}
        listener = house.start_listener(MQTT_PORT=str(broker.port), **every_one)
        wait_for(lambda: (230 * 3.14) in [power for _, power in house.readings()], "the last one is stored", timeout=60)
        wait_for(lambda: len(broker.acknowledged) == len(MESSAGES) + 1, "all of them are acknowledged")
        assert not listener.has_ended
    assert {number for number, _ in house.readings()} == {"101"}
    lines = listener.said.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert len([line for line in lines if "messages were refused" not in line]) == 2, "none for each message"
    counted = house.query("SELECT received, stored, rejected FROM metering_listenerstate")
    (received, stored, rejected) = counted[0]
    assert received == stored + rejected == len(MESSAGES) + 1
    refused = house.query("SELECT topic, reason, payload FROM metering_rejectedmessage")
    assert len(refused) == rejected > len(IN_TOPICS) - len(PLACES)
    for topic, reason, kept in refused:
        assert topic.isprintable()
        assert len(topic) <= 256
        assert reason
        assert reason.isprintable()
        assert len(reason) <= 200
        assert len(kept) <= 4096


def peak_mib(process):
    """The most memory a process has had so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


@pytest.mark.parametrize("qos", [0, 1])
def test_large_messages_do_not_fill_the_memory_while_the_database_is_away(house, tmp_path, qos):
    number, large = 2000, "x" * 60_000
    with Broker(tmp_path, "allow_anonymous true", "max_inflight_messages 5000") as broker:
        listener = house.start_listener(MQTT_PORT=str(broker.port))
        wait_for(lambda: house.query("SELECT id FROM metering_listenerstate WHERE broker_connected"), "a heartbeat")
        before = peak_mib(listener)
        with house.locked(), Client(broker.port, None) as meter:
            for current in range(1, number + 1):
                meter.publish(TOPIC.decode(), payload(current=current, note=large).decode(), qos=qos)
            listener.wait_until_it_says("database not available")
        wait_for(lambda: (230 * number) in [power for _, power in house.readings()[-1:]], "the last is stored", 60)
        assert peak_mib(listener) < before + 90
        powers = [power for _, power in house.readings()]
    assert powers == sorted(set(powers)), "in order, and none twice"
    if qos:
        assert len(powers) == number
