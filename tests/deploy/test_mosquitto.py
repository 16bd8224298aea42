"""At the broker of deploy/ a meter, or whoever has its login, publishes to its own topic and does nothing else."""

import contextlib

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.deploy.shipped import V5, V311, Client, Refused, ShippedBroker, password_of, write_passwords
from tests.installation import PROJECT

METER, NEIGHBOUR, ELSEWHERE = "house/floor/101", "house/floor/201", "other/floor/101"
LISTENER, DOCTOR = "riser-listener", "riser-doctor"
NAME = "riser-listener-8f3a61c02b7e4d95"
"""The listener's client id, a secret."""
WILDCARDS = ["+", "house/floor/+", "house/floor/#", "+/floor/101"]
LONG = ["a/b/c/d", "house/floor", "house/floor/101/x", "/house/floor/101", "house//101", "electricity/house/floor/101"]
OWN = f"electricity/{METER}"
FILTER = "electricity/+/floor/+"

FORBIDDEN = [
    f"electricity/{NEIGHBOUR}",
    f"electricity/{ELSEWHERE}",
    f"{OWN}/x",
    f"{OWN}/",
    f"{OWN} ",
    f"/{OWN}",
    f"{OWN}1",
    "electricity/House/floor/101",
    "electricity/house/floor/10",
    "electricity/house/floor/",
    "electricity/house/floor",
    "electricity//house/floor/101",
    "electricity/house/floor/%u",
    "electricity/%u",
    f"electricity/{LISTENER}",
    f"electricity/{DOCTOR}",
    "electricity/x/floor/x",
    METER,
    "riser/doctor/x",
    "meters/boiler/1",
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
    "$other/x",
    "x",
]
READABLE = [
    OWN,
    f"electricity/{NEIGHBOUR}",
    FILTER,
    "electricity/#",
    "electricity/house/#",
    "+/+/+/+",
    "#",
    "$SYS/#",
    "$SYS/broker/version",
    "riser/doctor/#",
    "$share/riser/#",
    f"$share/thieves/{FILTER}",
]


@pytest.fixture(scope="session")
def passwords(tmp_path_factory):
    file = tmp_path_factory.mktemp("passwords") / "riser.passwd"
    write_passwords(file, METER, NEIGHBOUR, ELSEWHERE, LISTENER, DOCTOR, "", "#", "house/floor/%u", *WILDCARDS, *LONG)
    return file


@pytest.fixture
def broker(tmp_path, passwords):
    with ShippedBroker(tmp_path, passwords) as running:
        yield running


@pytest.fixture
def listener(broker):
    """Hears what Riser's listener would, with its login and on its port."""
    with Client(broker.inner_port, LISTENER, NAME) as client:
        client.subscribe(FILTER)
        yield client


@pytest.fixture
def meter(broker):
    with Client(broker.port, METER) as client:
        yield client


@pytest.fixture
def nothing_came(broker, listener):
    """Proves that the listener heard nothing: what an honest meter publishes now is the first it hears."""

    def prove(*heard_before):
        with Client(broker.port, NEIGHBOUR) as honest:
            honest.publish(f"electricity/{NEIGHBOUR}", "honest")
        listener.hears(f"electricity/{NEIGHBOUR}", "honest")
        assert listener.heard == [*heard_before, (f"electricity/{NEIGHBOUR}", "honest")]

    return prove


class TestPublishing:
    @pytest.mark.parametrize("protocol", [V311, V5])
    def test_to_its_own_topic(self, broker, listener, protocol):
        with Client(broker.port, METER, protocol=protocol) as meter:
            assert meter.publish(OWN, "reading") == "Success"
        listener.hears(OWN, "reading")

    @pytest.mark.parametrize("protocol", [V311, V5])
    @pytest.mark.parametrize("retain", [False, True])
    def test_nowhere_else(self, broker, listener, protocol, retain):
        listener.subscribe("#")
        with Client(broker.port, METER, protocol=protocol) as meter, Client(broker.port, DOCTOR) as doctor:
            doctor.subscribe("riser/doctor/#")
            said = {topic: meter.publish(topic, "forged", retain=retain) for topic in FORBIDDEN}
            meter.publish(OWN, "marker")
            listener.hears(OWN, "marker")
            doctor.settle()
            assert {payload for _, payload in listener.heard} == {"marker"}
            assert doctor.heard == []
        if protocol == V5:
            assert {topic for topic, answer in said.items() if answer != "Not authorized"} == set()

    @pytest.mark.parametrize("topic", [b"electricity/house/floor/+", b"#", b"", b"electricity/house/floor/101\0",
                                       b"electricity/house/floor/\xff", b"electricity/house/floor/\xed\xa0\x80",
                                       b"electricity/house/floor/101\n"])  # fmt: skip
    def test_a_topic_that_is_none_ends_the_connection(self, meter, nothing_came, topic):
        assert meter.send(topic) == "disconnected"
        nothing_came()

    def test_nor_under_another_topics_alias(self, broker, nothing_came):
        alias = Properties(PacketTypes.PUBLISH)
        alias.TopicAlias = 1
        with Client(broker.port, METER, protocol=V5) as meter:
            assert meter.publish(f"electricity/{NEIGHBOUR}", "forged", properties=alias) == "Not authorized"
            assert meter.publish("", "forged", properties=alias) != "Success"
        nothing_came()

    def test_what_is_retained_stays_its_own(self, broker, meter):
        for topic in (f"electricity/{NEIGHBOUR}", "electricity/x/floor/x", OWN):
            meter.publish(topic, "kept", retain=True)
        with Client(broker.inner_port, LISTENER) as later:
            later.subscribe("electricity/#")
            assert later.heard == [(OWN, "kept")]

    @pytest.mark.parametrize("protocol", [V311, V5])
    def test_its_will_stays_its_own(self, broker, listener, nothing_came, protocol):
        with contextlib.suppress(Refused):
            Client(broker.port, METER, protocol=protocol, will=(f"electricity/{NEIGHBOUR}", "forged")).vanish()
        Client(broker.port, METER, protocol=protocol, will=(OWN, "gone")).vanish()
        listener.hears(OWN, "gone")
        nothing_came((OWN, "gone"))

    def test_not_as_a_bridge(self, broker, nothing_came):
        with Client(broker.port, METER, is_bridge=True) as bridge:
            bridge.publish(f"electricity/{NEIGHBOUR}", "forged")
            assert bridge.subscribe("#")
        nothing_came()

    def test_a_message_of_more_than_64_kib_ends_the_connection(self, meter, nothing_came):
        assert meter.publish(OWN, "x" * 65536) == "disconnected"
        nothing_came()


class TestReading:
    @pytest.mark.parametrize("protocol", [V311, V5])
    @pytest.mark.parametrize("login", [METER, ELSEWHERE, DOCTOR])
    def test_no_reading_and_nothing_of_the_broker(self, broker, listener, login, protocol):
        with Client(broker.port, NEIGHBOUR) as neighbour, Client(broker.port, METER) as meter:
            neighbour.publish(f"electricity/{NEIGHBOUR}", "kept", retain=True)
            meter.publish(OWN, "kept", retain=True)
        with Client(broker.port, login, protocol=protocol) as nosy, Client(broker.port, NEIGHBOUR) as neighbour:
            for topic_filter in READABLE:
                nosy.subscribe(topic_filter)
            neighbour.publish(f"electricity/{NEIGHBOUR}", "fresh")
            listener.hears(f"electricity/{NEIGHBOUR}", "fresh")
            nosy.publish(OWN, "fresh")
            nosy.settle()
            assert nosy.heard == []

    def test_nor_later_through_a_session_that_stays(self, broker, listener):
        with Client(broker.port, METER, "nosy", clean=False) as nosy:
            for topic_filter in READABLE:
                nosy.subscribe(topic_filter)
        with Client(broker.port, NEIGHBOUR) as neighbour:
            neighbour.publish(f"electricity/{NEIGHBOUR}", "fresh")
        listener.hears(f"electricity/{NEIGHBOUR}", "fresh")
        with Client(broker.port, METER, "nosy", clean=False) as nosy:
            assert nosy.session_present
            nosy.settle()
            assert nosy.heard == []

    @pytest.mark.parametrize("share", ["", "$share/5d09e7b2/"])
    def test_a_group_of_ones_own_making_takes_nothing_from_the_listener(self, broker, share):
        with (
            Client(broker.inner_port, LISTENER, NAME) as listener,
            Client(broker.port, METER) as thief,
            Client(broker.port, NEIGHBOUR) as neighbour,
        ):
            listener.subscribe(share + FILTER)
            for group in ("riser", LISTENER):
                thief.subscribe(f"$share/{group}/{FILTER}")
            for number in range(10):
                neighbour.publish(f"electricity/{NEIGHBOUR}", str(number))
            listener.hears(f"electricity/{NEIGHBOUR}", "9")
            assert [payload for _, payload in listener.heard] == [str(number) for number in range(10)]

    def test_the_listener_only_reads(self, broker):
        with Client(broker.inner_port, LISTENER, protocol=V5) as reader, Client(broker.port, METER) as meter:
            reader.subscribe("electricity/#")
            answers = {reader.publish(topic, "forged", retain=True) for topic in [*FORBIDDEN, OWN]}
            meter.publish(OWN, "reading")
            reader.hears(OWN, "reading")
            assert reader.heard == [(OWN, "reading")]
        assert answers == {"Not authorized"}

    def test_and_hears_readings_only(self, broker, listener, meter):
        for topic_filter in READABLE:
            listener.subscribe(topic_filter)
        meter.publish(OWN, "reading")
        listener.hears(OWN, "reading")
        assert {topic for topic, _ in listener.heard} == {OWN}

    @pytest.mark.parametrize("topic", [OWN, f"electricity/{DOCTOR}", "riser/other", "x"])
    def test_the_doctor_speaks_to_itself_only(self, broker, topic):
        with Client(broker.port, DOCTOR, protocol=V5) as doctor:
            assert doctor.publish(topic, "forged") == "Not authorized"
            doctor.subscribe("riser/doctor/#")
            assert doctor.publish("riser/doctor/x", "canary") == "Success"
            doctor.hears("riser/doctor/x", "canary")


class TestSomebodyElsesSession:
    """The listener is away, and three readings wait for it."""

    @pytest.fixture
    def waiting(self, broker):
        with Client(broker.inner_port, LISTENER, NAME, clean=False) as listener:
            listener.subscribe(FILTER)
        with Client(broker.port, NEIGHBOUR) as neighbour:
            for number in "123":
                neighbour.publish(f"electricity/{NEIGHBOUR}", number)
        return broker

    def all_three_still_wait(self, broker):
        with Client(broker.inner_port, LISTENER, NAME, clean=False) as listener:
            assert listener.session_present
            listener.hears(f"electricity/{NEIGHBOUR}", "3")
            assert [payload for _, payload in listener.heard] == ["1", "2", "3"]

    @pytest.mark.parametrize("inside", [False, True])
    @pytest.mark.parametrize("protocol", [V311, V5])
    @pytest.mark.parametrize("login", [METER, DOCTOR, LISTENER])
    def test_its_login_or_anothers_does_not_reach_it(self, waiting, login, protocol, inside):
        port = waiting.inner_port if inside else waiting.port
        for clean in (True, False):
            with Client(port, login, LISTENER, clean=clean, protocol=protocol) as thief:
                thief.settle()
                assert thief.heard == []
        self.all_three_still_wait(waiting)

    @pytest.mark.parametrize("protocol", [V311, V5])
    @pytest.mark.parametrize("login", [METER, DOCTOR])
    def test_a_meter_that_knows_its_name_does_not_either(self, waiting, login, protocol):
        for clean in (True, False):
            with Client(waiting.port, login, NAME, clean=clean, protocol=protocol) as thief:
                thief.settle()
                assert thief.heard == []
        self.all_three_still_wait(waiting)

    @pytest.mark.parametrize("inside", [False, True])
    @pytest.mark.parametrize("protocol", [V311, V5])
    @pytest.mark.parametrize("name", [LISTENER, ""])
    def test_nor_does_no_login_at_all(self, waiting, name, protocol, inside):
        port = waiting.inner_port if inside else waiting.port
        for login, password in ((None, None), (LISTENER, "wrong"), (LISTENER, ""), ("", ""), (METER, "wrong")):
            with pytest.raises(Refused):
                Client(port, login, name, password=password, protocol=protocol)
        self.all_three_still_wait(waiting)

    def test_it_waits_on_disk_too(self, waiting):
        for name in (LISTENER, METER, NEIGHBOUR):
            with pytest.raises(Refused):
                Client(waiting.port, None, name)
        waiting.stop()
        waiting.start()
        self.all_three_still_wait(waiting)

    def test_a_listener_that_is_there_is_not_put_out(self, broker, listener):
        for login in (METER, DOCTOR):
            with Client(broker.port, login, NAME) as thief:
                thief.settle()
        with Client(broker.port, NEIGHBOUR) as neighbour:
            neighbour.publish(f"electricity/{NEIGHBOUR}", "still here")
        listener.hears(f"electricity/{NEIGHBOUR}", "still here")

    def test_nor_a_neighbours_meter(self, broker, listener):
        with Client(broker.port, NEIGHBOUR) as neighbour, Client(broker.port, METER, NEIGHBOUR) as thief:
            thief.publish(f"electricity/{NEIGHBOUR}", "forged")
            for login in (None, METER):
                with pytest.raises(Refused):
                    Client(broker.port, login, NEIGHBOUR, password="wrong")
            assert neighbour.publish(f"electricity/{NEIGHBOUR}", "still here") == "Success"
        listener.hears(f"electricity/{NEIGHBOUR}", "still here")
        assert [payload for _, payload in listener.heard] == ["still here"]

    def test_its_name_is_made_up_when_riser_is_installed(self):
        assert "\nMQTT_CLIENT_ID=riser-listener-$(openssl rand -hex 8)\n" in (PROJECT / "docs/install.md").read_text()


class TestLogin:
    @pytest.mark.parametrize("inside", [False, True])
    @pytest.mark.parametrize("protocol", [V311, V5])
    @pytest.mark.parametrize(
        ("login", "password"),
        [
            (None, None),
            ("", ""),
            ("", "x"),
            (METER, ""),
            (METER, "wrong"),
            (METER, password_of(NEIGHBOUR)),
            (METER, password_of(METER) + " "),
            (METER.upper(), password_of(METER)),
            ("house/floor/301", password_of("house/floor/301")),
        ],
    )
    def test_nobody_without_the_password(self, broker, login, password, protocol, inside):
        port = broker.inner_port if inside else broker.port
        with pytest.raises(Refused, match=r"Not authorized|Bad user name or password"):
            Client(port, login, "somebody", password=password, protocol=protocol)

    @pytest.mark.parametrize("login", WILDCARDS + LONG)
    def test_a_login_that_is_no_address_gives_nothing(self, broker, nothing_came, login):
        with Client(broker.port, login, protocol=V5) as odd:
            for topic_filter in READABLE:
                odd.subscribe(topic_filter)
            for topic in (OWN, *FORBIDDEN, *(f"electricity/{name}" for name in WILDCARDS + LONG)):
                if not {"+", "#"} & set(topic):
                    odd.publish(topic, "forged")
            nothing_came()
            odd.settle()
            assert odd.heard == []

    @pytest.mark.parametrize("login", ["", "#"])
    def test_one_without_a_name_is_no_login_and_nor_is_a_comment(self, broker, login):
        with pytest.raises(Refused):
            Client(broker.port, login)

    def test_a_login_like_a_pattern_is_taken_as_it_is(self, broker, listener):
        with Client(broker.port, "house/floor/%u", protocol=V5) as odd:
            assert odd.publish(f"electricity/{NEIGHBOUR}", "forged") == "Not authorized"
            assert odd.publish("electricity/house/floor/house/floor/%u", "forged") == "Not authorized"
            assert odd.publish("electricity/house/floor/%u", "no such apartment") == "Success"
        listener.hears("electricity/house/floor/%u", "no such apartment")
        assert len(listener.heard) == 1

    @pytest.mark.parametrize("login", WILDCARDS)
    def test_one_with_a_wildcard_cannot_publish_at_all(self, broker, login):
        with Client(broker.port, login, protocol=V5) as odd:
            assert odd.publish(OWN, "forged") == "Not authorized"
        with Client(broker.port, login) as odd:
            assert odd.send(f"electricity/{login}".encode()) == "disconnected"
