"""The household model and the embedded broker."""

import datetime as dt
import statistics
import time
import zoneinfo

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from metering.demo.household import Household
from tests.broker import Broker, answers, free_port
from tests.waiting import wait_for

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
MONDAY = dt.datetime(2026, 11, 23, tzinfo=BERLIN)


def powers(household, begin, minutes):
    return [household.sample(begin + dt.timedelta(minutes=minute)).power for minute in range(minutes)]


class TestHousehold:
    def test_it_is_the_same_whenever_one_asks(self):
        instant = MONDAY + dt.timedelta(hours=19)
        assert Household("house/101", BERLIN).sample(instant) == Household("house/101", BERLIN).sample(instant)
        assert Household("house/101", BERLIN).sample(instant) != Household("house/102", BERLIN).sample(instant)

    @pytest.mark.parametrize("name", ["house/101", "house/203", "house/504"])
    def test_a_day_is_plausible(self, name):
        household = Household(name, BERLIN)
        days = [powers(household, MONDAY + dt.timedelta(days=day), 1440) for day in range(7)]
        daily_kwh = [sum(day) / 60 / 1000 for day in days]
        assert 0.8 < statistics.mean(daily_kwh) < 15
        assert all(15 < power < 9000 for day in days for power in day)
        evening = statistics.mean(power for day in days for power in day[19 * 60 : 21 * 60])
        night = statistics.mean(power for day in days for power in day[2 * 60 : 5 * 60])
        assert evening > 1.5 * night
        assert max(max(day) for day in days) > 1700, "a kettle or an oven"

    def test_voltage_stays_within_the_band_of_en_50160(self):
        household = Household("house/101", BERLIN)
        voltages = [household.sample(MONDAY + dt.timedelta(minutes=minute)).voltage for minute in range(1440)]
        assert 207 < min(voltages) < max(voltages) < 253


def client(name, username="", password="", *, clean=True):
    made = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean, protocol=mqtt.MQTTv311)
    made.heard = []
    made.on_message = lambda _client, _data, message: made.heard.append((message.topic, message.payload))
    made.answered = []
    made.on_connect = lambda _client, _data, _flags, reason, _properties: made.answered.append(str(reason))
    made.on_subscribe = lambda *_: made.answered.append("subscribed")
    if username:
        made.username_pw_set(username, password)
    return made


@pytest.fixture
def embedded(installation):
    """The embedded broker's port."""
    port = free_port()
    login = {"MQTT_USERNAME": "riser", "MQTT_PASSWORD": "secret", "MQTT_CLIENT_ID": "riser-listener"}
    broker = installation.start("mqtt_broker", MQTT_PORT=str(port), **login)
    broker.wait_until_it_says("MQTT broker on 127.0.0.1")
    return port


@pytest.fixture
def connect(embedded):
    clients = []

    def connected(*arguments, subscribe_to=None, **options):
        made = client(*arguments, **options)
        clients.append(made)
        made.connect("127.0.0.1", embedded)
        made.loop_start()
        wait_for(lambda: made.answered, "the broker answers")
        if subscribe_to:
            made.subscribe(subscribe_to, qos=1)
            wait_for(lambda: "subscribed" in made.answered, "the subscription is granted")
        return made

    yield connected
    for made in clients:
        made.disconnect()
        made.loop_stop()


class TestEmbeddedBroker:
    def test_meters_need_no_login_but_a_wrong_one_is_refused(self, connect):
        assert connect("meter").answered == ["Success"]
        assert connect("listener", "riser", "secret").answered == ["Success"]
        assert connect("thief", "riser", "wrong").answered == ["Not authorized"]
        assert connect("riser-listener").answered == ["Not authorized"], "under the listener's name"

    def test_the_listeners_session_outlives_its_connection(self, connect):
        listener = connect("riser-listener", "riser", "secret", clean=False, subscribe_to="electricity/#")
        listener.disconnect()
        listener.loop_stop()
        connect("meter").publish("electricity/house/floor/101", b"kept", qos=1).wait_for_publish(10)
        again = connect("riser-listener", "riser", "secret", clean=False)
        wait_for(lambda: again.heard, "the message that waited")
        assert again.heard == [("electricity/house/floor/101", b"kept")]

    def test_what_waited_is_not_marked_as_retained(self, connect):
        listener = connect("riser-listener", "riser", "secret", clean=False, subscribe_to="electricity/#")
        listener.disconnect()
        listener.loop_stop()
        connect("meter").publish("electricity/house/floor/101", b"kept", qos=1).wait_for_publish(10)
        marks = []
        again = client("riser-listener", "riser", "secret", clean=False)
        again.on_message = lambda _client, _data, message: marks.append((message.payload, message.retain))
        again.connect("127.0.0.1", listener.port)
        again.loop_start()
        wait_for(lambda: marks, "the message that waited")
        again.loop_stop()
        assert marks == [(b"kept", False)]

    def test_retained_messages_reach_only_those_who_subscribed(self, connect):
        connect("reader", subscribe_to="secret/#")
        connect("meter").publish("secret/1", b"old", qos=1, retain=True).wait_for_publish(10)
        curious = connect("curious", subscribe_to="other/#")
        late = connect("late", subscribe_to="secret/#")
        wait_for(lambda: late.heard, "the retained message for who subscribed")
        assert curious.heard == []

    def test_only_this_machine_can_reach_it(self, embedded):
        with open("/proc/net/tcp") as table:  # noqa: PTH123
            lines = [line.split() for line in table]
        listening = [fields[1] for fields in lines if len(fields) > 3 and fields[3] == "0A"]
        assert f"0100007F:{embedded:04X}" in listening
        assert f"00000000:{embedded:04X}" not in listening

    def test_a_taken_port_is_named(self, installation, tmp_path):
        with Broker(tmp_path) as taken:
            broker = installation.start("mqtt_broker", MQTT_PORT=str(taken.port))
            assert broker.wait() == 1
            assert f"Port {taken.port} is taken" in broker.said
            assert answers(taken.port)
            assert time.monotonic()
