"""The listener as operators run it: a process, a real broker, a database file."""

import contextlib
import json
import signal
import socket
import time

import pytest

from tests.broker import Broker
from tests.waiting import wait_for

EXAMPLE = '{"voltage": 220.5, "current": 2.3, "apartment": "101", "floor": "1"}'
TOPIC = "electricity/house/floor/101"

BAD_PAYLOADS = {
    "not JSON": b"offline",
    "empty": b"",
    "not an object": b"[1, 2]",
    "voltage missing": b'{"current": 2}',
    "current missing": b'{"voltage": 230}',
    "a string": b'{"voltage": "230", "current": 2}',
    "a boolean": b'{"voltage": true, "current": 2}',
    "null": b'{"voltage": null, "current": 2}',
    "NaN": b'{"voltage": NaN, "current": 2}',
    "Infinity": b'{"voltage": 230, "current": Infinity}',
    "1e999": b'{"voltage": 1e999, "current": 2}',
    "below zero": b'{"voltage": -1, "current": 2}',
    "too many volts": b'{"voltage": 1001, "current": 2}',
    "too many amperes": b'{"voltage": 230, "current": -10001}',
    "64 KiB": b'{"voltage": 230, "current": 2}' + b" " * 65536,
    "not UTF-8": b'{"voltage": 230, "current": 2, "x": "\xff"}',
    "nested": b"[" * 100_000 + b"]" * 100_000,
    "nested within 64 KiB": b'{"voltage": 230, "current": 2, "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "5000 digits": b'{"voltage": ' + b"1" * 5000 + b', "current": 2}',
    "contradicts the topic": b'{"voltage": 230, "current": 2, "apartment": "201"}',
    "1970": b'{"voltage": 230, "current": 2, "timestamp": 12}',
    "far ahead": b'{"voltage": 230, "current": 2, "timestamp": "2199-01-01T00:00:00Z"}',
}
BAD_TOPICS = ["electricity/nowhere/floor/101", "electricity/house/floor/999"]


@pytest.fixture
def house(installation):
    installation.make_house("101", "201")
    return installation


def state(installation):
    columns = "received, stored, duplicates, ignored, rejected, broker_connected, stopped_at"
    rows = installation.query(f"SELECT {columns} FROM metering_listenerstate")
    return dict(zip(columns.split(", "), rows[0], strict=True)) if rows else {"stored": 0, "rejected": 0}


def test_a_published_message_becomes_a_reading(house, broker):
    house.start_listener()
    broker.publish(TOPIC, EXAMPLE)
    (reading,) = wait_for(house.readings, "the reading is stored")
    assert reading == ("101", pytest.approx(507.15))


def test_every_bad_message_is_refused_with_a_reason_and_the_next_good_one_stored(house, broker):
    listener = house.start_listener()
    for payload in BAD_PAYLOADS.values():
        broker.publish(TOPIC, payload)
    for topic in BAD_TOPICS:
        broker.publish(topic, EXAMPLE.replace('"apartment": "101", ', ""))
    broker.publish(TOPIC, EXAMPLE)
    wait_for(house.readings, "the good message is stored")
    refused = house.query("SELECT reason FROM metering_rejectedmessage ORDER BY id")
    assert len(refused) == len(BAD_PAYLOADS) + len(BAD_TOPICS) == state(house)["rejected"]
    assert all(reason for (reason,) in refused)
    assert len({reason for (reason,) in refused}) >= len(refused) - 3
    assert house.readings() == [("101", pytest.approx(507.15))]
    assert listener.said.count("\n") == 2, "one line per event, none per message"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_five_seconds(house, broker, number):
    listener = house.start_listener()
    broker.publish(TOPIC, EXAMPLE)
    wait_for(house.readings, "the reading is stored")
    began = time.monotonic()
    listener.signal(number)
    assert listener.wait() == 0
    assert time.monotonic() - began < 5
    assert listener.said.endswith("INFO riser.listener: stopped\n")
    assert state(house)["stopped_at"]
    assert not state(house)["broker_connected"]


def test_messages_wait_at_the_broker_while_it_is_away(house, broker):
    listener = house.start_listener()
    wait_for(lambda: state(house).get("broker_connected"), "the first heartbeat")
    listener.signal(signal.SIGTERM)
    listener.wait()
    for number in range(5):
        broker.publish(TOPIC, json.dumps({"voltage": 230, "current": number}))
    house.start_listener()
    wait_for(lambda: len(house.readings()) == 5, "all five are stored")
    assert [power for _, power in house.readings()] == [0, 230, 460, 690, 920]


def test_killed_while_it_works_it_loses_nothing_and_counts_nothing_twice(house, broker):
    listener = house.start_listener()
    wait_for(lambda: state(house).get("broker_connected"), "the first heartbeat")
    for number in range(1, 301):
        broker_payload = json.dumps({"voltage": 100, "current": number})
        if number % 60 == 0:
            listener.signal(signal.SIGKILL)
            listener.wait()
            listener = house.start_listener()
        broker.publish(TOPIC, broker_payload)
    wait_for(lambda: len(house.readings()) >= 300, "all are stored")
    listener.signal(signal.SIGTERM)
    listener.wait()
    assert [power for _, power in house.readings()] == [100 * number for number in range(1, 301)]


def test_a_locked_database_loses_nothing(house, broker):
    listener = house.start_listener()
    with house.locked():
        broker.publish(TOPIC, EXAMPLE)
        listener.wait_until_it_says("database not available")
    listener.wait_until_it_says("database available again")
    wait_for(house.readings, "the reading is stored")
    assert len(house.readings()) == 1


def test_a_locked_database_keeps_it_neither_from_its_watchdog_nor_from_ending(house, broker, tmp_path):
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd, house.locked():
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        listener = house.start("mqtt_listen", NOTIFY_SOCKET=str(tmp_path / "notify"))
        listener.wait_until_it_says("database not available")
        signs = 0
        while signs < 5:
            signs += "database not available" in systemd.recv(200).decode()
        listener.signal(signal.SIGTERM)
        assert listener.wait() == 0


def test_it_waits_for_a_broker_that_is_not_there_and_says_so_once(house, tmp_path):
    late = Broker(tmp_path)
    listener = house.start("mqtt_listen", MQTT_PORT=str(late.port))
    listener.wait_until_it_says("no connection to the broker")
    late.start()
    try:
        listener.wait_until_it_says("connected to the broker")
        listener.signal(signal.SIGTERM)
        assert listener.wait() == 0
    finally:
        late.stop()
    assert listener.said.count("no connection to the broker") == 1


def test_a_signal_ends_it_without_a_broker_too(house, tmp_path):
    listener = house.start("mqtt_listen", MQTT_PORT=str(Broker(tmp_path).port))
    listener.wait_until_it_says("no connection to the broker")
    listener.signal(signal.SIGTERM)
    assert listener.wait(5) == 0


def test_wrong_credentials_end_it_with_the_reason(house, tmp_path):
    (tmp_path / "passwords").touch()
    with Broker(tmp_path, "allow_anonymous false", f"password_file {tmp_path}/passwords") as closed:
        listener = house.start("mqtt_listen", MQTT_PORT=str(closed.port), MQTT_USERNAME="riser", MQTT_PASSWORD="no")
        assert listener.wait() == 1
    assert "refuses this listener: Not authorized." in listener.said
    assert "Check MQTT_USERNAME, MQTT_PASSWORD" in listener.said


def test_on_a_flat_topic_the_payload_names_the_apartment(house, broker):
    topic = f"flat/{house.folder.name}"
    listener = house.start_listener(MQTT_TOPIC=topic)
    wait_for(lambda: state(house).get("broker_connected"), "the first heartbeat")
    broker.publish(topic, EXAMPLE)
    broker.publish(topic, EXAMPLE.replace("101", "201"))
    broker.publish(topic, '{"voltage": 230, "current": 2}')
    wait_for(lambda: state(house)["rejected"], "the nameless one is refused")
    assert [number for number, _ in house.readings()] == ["101", "201"]
    assert "metering.W001" in listener.said


def test_a_retained_message_counts_once_at_most(house, broker):
    broker.publish(TOPIC, EXAMPLE, "-r")
    try:
        for _ in range(2):
            listener = house.start_listener()
            wait_for(lambda: state(house).get("broker_connected"), "the heartbeat")
            listener.signal(signal.SIGTERM)
            listener.wait()
        assert house.readings() == []
        assert state(house)["ignored"] >= 1
    finally:
        broker.publish(TOPIC, "", "-r")


def test_systemd_hears_that_it_is_ready_alive_and_how_it_is(house, tmp_path):
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        listener = house.start_listener(NOTIFY_SOCKET=str(tmp_path / "notify"))
        heard = [systemd.recv(200).decode()]
        while "STATUS=connected to the broker" not in heard[-1]:
            heard.append(systemd.recv(200).decode())
        listener.signal(signal.SIGTERM)
        listener.wait()
        while heard[-1] != "STOPPING=1":
            heard.append(systemd.recv(200).decode())
    assert heard[0] == "READY=1"
    assert "WATCHDOG=1" in heard[1]


def test_meters_of_new_apartments_and_topics_are_heard_without_a_restart(house, broker):
    house.start_listener()
    house.import_apartments("301")
    broker.publish("electricity/house/floor/301", '{"voltage": 230, "current": 1}')
    wait_for(house.readings, "the new apartment's reading is stored")
    assert house.readings() == [("301", 230.0)]
