"""The session with a real mosquitto, in this process and without threads."""

import datetime as dt
import logging
import time

import pytest

from metering.ingest.batch import Batch
from metering.ingest.listener import BrokerRefused, Listener, build_client
from tests.broker import Broker, free_port
from tests.waiting import wait_for

FILTER = "electricity/+/floor/+"
TOPIC = "electricity/house/floor/101"


def connect(port, name, main_filter=FILTER, username="", password="", now=None, share=""):
    client = build_client(name, username, password, ca_file=None)
    clock = now or (lambda: dt.datetime.now(dt.UTC))
    listener = Listener(client, "127.0.0.1", port, main_filter, time.monotonic, clock, share=share)
    listener.batch = Batch(time.monotonic)
    return listener


def receive(listener):
    listener.receive(listener.batch, 0.1)
    return listener.batch


def received(listener, number):
    wait_for(lambda: len(receive(listener)) >= number, f"{number} deliveries")
    return [item for chunk in listener.batch.chunks() for item in chunk]


def connected(listener):
    def accepted():
        receive(listener)
        listener.subscribe(())
        return listener.is_listening

    wait_for(accepted, "the broker accepts the session")
    return listener


def subscribe(listener, topics):
    """Until the broker has answered."""

    def answered():
        receive(listener)
        return not listener._asked

    listener.subscribe(topics)
    wait_for(answered, "the broker answers")


@pytest.fixture
def name(request):
    return f"listener-{abs(hash(request.node.nodeid))}"


@pytest.fixture
def own_broker(tmp_path):
    with Broker(tmp_path) as running:
        yield running


def test_what_is_not_acknowledged_comes_again(broker, name):
    listener = connected(connect(broker.port, name))
    receive(listener)
    broker.publish(TOPIC, "1")
    broker.publish(TOPIC, "2")
    first, second = received(listener, 2)
    assert (first.topic, first.payload, first.qos, first.is_redelivery) == (TOPIC, b"1", 1, False)
    listener.acknowledge([first])
    listener.close()
    (again,) = received(connected(connect(broker.port, name)), 1)
    assert (again.payload, again.is_redelivery, again.packet_id) == (b"2", True, second.packet_id)


def test_the_broker_keeps_messages_while_nobody_listens(broker, name):
    listener = connected(connect(broker.port, name))
    receive(listener)
    listener.close()
    broker.publish(TOPIC, "kept")
    (kept,) = received(connected(connect(broker.port, name)), 1)
    assert kept.payload == b"kept"


def test_nothing_is_acknowledged_on_a_later_connection(own_broker, name, caplog):
    caplog.set_level(logging.INFO)
    listener = connected(connect(own_broker.port, name))
    receive(listener)
    own_broker.publish(TOPIC, "old")
    (old,) = received(listener, 1)
    own_broker.stop()
    wait_for(lambda: receive(listener) is not None and not listener.is_listening, "the listener notices")
    for file in own_broker.folder.glob("mosquitto.db"):
        file.unlink()
    own_broker.start()
    connected(listener)
    assert listener.lost_session_at == listener.connection > old.connection
    receive(listener)
    own_broker.publish(TOPIC, "new")
    (new,) = received(listener, 1)
    assert new.packet_id == old.packet_id
    listener.acknowledge([old])
    listener.close()
    (again,) = received(connected(connect(own_broker.port, name)), 1)
    assert again.payload == b"new"
    said = [record.getMessage() for record in caplog.records]
    assert sum("no connection to the broker" in line for line in said) == 1


def test_a_broker_that_comes_late_is_found_and_missed_once(tmp_path, name, caplog):
    caplog.set_level(logging.INFO)
    broker = Broker(tmp_path)
    listener = connect(broker.port, name)
    for _ in range(5):
        receive(listener)
    broker.start()
    try:
        connected(listener)
    finally:
        broker.stop()
    lines = [record.getMessage() for record in caplog.records if record.name == "riser.listener"]
    assert len(lines) == 2
    assert "Connection refused" in lines[0]
    assert lines[1] == f"connected to the broker at 127.0.0.1:{broker.port}"


def test_wrong_credentials_are_final(tmp_path, name):
    passwords = tmp_path / "passwords"
    passwords.write_text("riser:$7$101$VnlXbTYwdEx5QkxUZ1FqTQ==$AAAA\n")
    with Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        listener = connect(broker.port, name, username="riser", password="wrong")
        with pytest.raises(BrokerRefused, match="refuses this listener: Not authorized"):
            wait_for(lambda: receive(listener) is None, "refused")


def test_a_topic_of_its_own_is_subscribed_later_and_after_reconnecting(own_broker, name):
    listener = connected(connect(own_broker.port, name))
    listener.subscribe(["house/main"])
    receive(listener)
    own_broker.publish("house/main", "1")
    assert received(listener, 1)[0].topic == "house/main"
    own_broker.stop()
    (own_broker.folder / "mosquitto.db").unlink()
    wait_for(lambda: receive(listener) is not None and not listener.is_listening, "the listener notices")
    own_broker.start()
    connected(listener).subscribe(["house/main"])
    receive(listener)
    own_broker.publish("house/main", "2")
    assert received(listener, 1)[0].payload == b"2"


def test_a_retained_message_is_marked(broker, name):
    topic = "electricity/house/floor/retained"
    broker.publish(topic, "old", "-r")
    try:
        listener = connected(connect(broker.port, name, main_filter=topic))
        (old,) = received(listener, 1)
        assert old.is_retained
    finally:
        broker.publish(topic, "", "-r")


def test_an_unreachable_broker_does_not_hold_the_step_up(name):
    listener = connect(free_port(), name)
    began = time.monotonic()
    receive(listener)
    receive(listener)
    assert not listener.is_listening
    assert time.monotonic() - began < 5


def test_a_topic_that_the_main_filter_covers_comes_once(broker, name):
    listener = connected(connect(broker.port, name))
    subscribe(listener, [TOPIC, "house/main"])
    broker.publish(TOPIC, "1")
    broker.publish("house/main", "2")
    assert [item.payload for item in received(listener, 2)] == [b"1", b"2"]


def test_a_topic_that_no_meter_has_any_more_is_not_heard(broker, name):
    listener = connected(connect(broker.port, name))
    listener.subscribe(["house/old"])
    subscribe(listener, ["house/new"])
    broker.publish("house/old", "1")
    broker.publish("house/new", "2")
    assert [item.payload for item in received(listener, 1)] == [b"2"]


def test_two_that_share_get_each_message_once(broker, name):
    pair = [connected(connect(broker.port, f"{name}{number}", share=f"g{name}")) for number in range(2)]
    for listener in pair:
        subscribe(listener, [f"{name}/own"])
    for number in range(6):
        broker.publish(TOPIC, f"main {number}")
        broker.publish(f"{name}/own", f"own {number}")
    wait_for(lambda: sum(len(receive(listener)) for listener in pair) >= 12, "all twelve")
    payloads = [item.payload for listener in pair for chunk in listener.batch.chunks() for item in chunk]
    mine = [payload for payload in payloads if payload.startswith(b"own")]
    assert len(mine) == len(set(mine)) == 6


def test_more_topics_than_fit_into_a_packet(tmp_path, name):
    with Broker(tmp_path, "allow_anonymous true", "max_packet_size 20000") as broker:
        listener = connected(connect(broker.port, name))
        topics = [f"{'x' * 180}/{number}" for number in range(300)]
        subscribe(listener, topics)
        broker.publish(topics[299], "1")
        broker.publish(TOPIC, "2")
        assert [item.payload for item in received(listener, 2)] == [b"1", b"2"]


def test_a_batch_that_cannot_be_stored_does_not_make_it_deaf(broker, name):
    listener = connected(connect(broker.port, name))
    listener.batch = Batch(time.monotonic, limit=1)
    for number in range(5):
        broker.publish(TOPIC, str(number))
    wait_for(lambda: len(receive(listener)) == 5, "all five, though the batch was due at the first")


def test_a_clock_that_stands_still_gives_no_instant_twice(broker, name):
    moment = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
    listener = connected(connect(broker.port, name, now=lambda: moment))
    receive(listener)
    for number in range(3):
        broker.publish(TOPIC, str(number))
    times = [item.received_at for item in received(listener, 3)]
    assert times == [moment + number * dt.timedelta(microseconds=1) for number in range(3)]
