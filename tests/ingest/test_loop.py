import logging

import pytest

from metering.ingest.decoders import Limits
from metering.ingest.delivery import Accepted, Ignored, Refused
from metering.ingest.loop import BEAT_SECONDS, PACE_SECONDS, RETRY_SECONDS, Loop
from metering.ingest.topics import Address
from tests.fakes import FakeClock, FakeSession, FakeStore, delivery


class Scene:
    def __init__(self, flat_topic: str = "") -> None:
        self.session, self.store, self.clock = FakeSession(), FakeStore(), FakeClock()
        self.loop = Loop(self.session, self.store, self.clock, flat_topic, Limits())

    def take(self, *deliveries):
        self.session.waiting += deliveries
        self.clock.advance(PACE_SECONDS)
        self.loop.step()
        return self.store.saved


@pytest.fixture
def scene():
    return Scene()


def test_what_was_stored_is_acknowledged_in_order(scene):
    messages = [delivery(packet_id=number) for number in (3, 1, 2)]
    scene.take(*messages)
    assert [item.delivery for item in scene.store.saved] == messages
    assert scene.session.acknowledged == messages


def test_the_topic_says_whose_reading_it_is(scene):
    (item,) = scene.take(delivery(topic="electricity/house/floor/101"))
    assert isinstance(item, Accepted)
    assert item.address == Address("house", "101")


def test_a_payload_that_contradicts_its_topic_is_refused_and_acknowledged(scene):
    message = delivery(b'{"voltage": 230, "current": 2, "apartment": "202"}')
    (item,) = scene.take(message)
    assert isinstance(item, Refused)
    assert item.problem.reason == "The payload says apartment 202, the topic says 101."
    assert scene.session.acknowledged == [message]


def test_a_contradicting_floor_is_accepted(scene):
    (item,) = scene.take(delivery(b'{"voltage": 230, "current": 2, "floor": 9}'))
    assert isinstance(item, Accepted)


def test_on_a_flat_topic_the_payload_says_whose_reading_it_is():
    scene = Scene(flat_topic="electricity/data")
    good = delivery(b'{"voltage": 230, "current": 2, "apartment": "101"}', topic="electricity/data")
    nameless = delivery(topic="electricity/data")
    odd = delivery(b'{"voltage": 230, "current": 2, "apartment": "1\\u0000"}', topic="electricity/data")
    accepted, missing, unknown = scene.take(good, nameless, odd)
    assert accepted.address == Address(None, "101")
    assert missing.problem.reason == "apartment is missing; on a flat topic the payload must name it."
    assert unknown.problem.reason == "There is no apartment 1?."


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("tele/meter/SENSOR", "No meter is registered for this topic."),
        ("electricity/ho use/floor/101", "There is no building ho use."),
        ("electricity/house/floor/\u202e", "There is no apartment ?."),
    ],
)
def test_topics_that_name_nobody(scene, topic, reason):
    (item,) = scene.take(delivery(topic=topic))
    assert item.problem.reason == reason


def test_a_meter_with_a_topic_of_its_own_is_known_before_its_first_message(scene):
    scene.store.topics = {"cellar/main": "native"}
    (item,) = scene.take(delivery(topic="cellar/main"))
    assert isinstance(item, Accepted)
    assert item.address is None
    scene.loop.step()
    assert scene.session.subscribed == ["cellar/main"]


def test_a_retained_message_counts_only_with_a_time_of_its_own(scene):
    dated = b'{"voltage": 230, "current": 2, "timestamp": "2026-11-23T11:59:00Z"}'
    undated, accepted = scene.take(delivery(retained=True), delivery(dated, retained=True))
    assert isinstance(undated, Ignored)
    assert isinstance(accepted, Accepted)
    assert len(scene.session.acknowledged) == 2


def test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_lost(scene, caplog):
    caplog.set_level(logging.INFO)
    scene.store.is_away = True
    scene.take(delivery(packet_id=1))
    scene.clock.advance(RETRY_SECONDS)
    scene.take(delivery(packet_id=2))
    assert scene.session.acknowledged == []
    scene.store.is_away = False
    scene.clock.advance(RETRY_SECONDS)
    scene.loop.step()
    assert [item.packet_id for item in scene.session.acknowledged] == [1, 2]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "database not available (database is locked): keeping readings and trying again",
        "database available again",
    ]


def test_it_does_not_ask_an_absent_database_again_at_once(scene):
    scene.loop.step()
    scene.store.is_away = True
    scene.take(delivery())
    scene.store.is_away = False
    scene.loop.step()
    assert scene.store.saved == []
    scene.clock.advance(RETRY_SECONDS)
    scene.loop.step()
    assert len(scene.store.saved) == 1


def test_a_steady_stream_is_stored_at_a_pace(scene):
    scene.take(delivery(packet_id=1))
    scene.session.waiting.append(delivery(packet_id=2))
    scene.loop.step()
    assert len(scene.store.saved) == 1, "the second one waits for company"
    scene.take(delivery(packet_id=3))
    assert [item.delivery.packet_id for item in scene.store.saved] == [1, 2, 3]


def test_a_full_batch_does_not_wait(scene):
    scene.take(delivery(packet_id=1))
    scene.session.waiting += [delivery(packet_id=number) for number in range(2, 1002)]
    scene.loop.step()
    assert len(scene.store.saved) == 1001


def test_a_stop_stores_what_is_in_hand(scene):
    scene.take(delivery(packet_id=1))
    scene.session.waiting.append(delivery(packet_id=2))
    scene.loop.step()
    scene.loop.farewell()
    assert [item.packet_id for item in scene.session.acknowledged] == [1, 2]


def test_its_heart_beats_now_and_then_and_when_the_connection_changes(scene):
    for _ in range(3):
        scene.loop.step()
    assert scene.store.beats == [True]
    scene.clock.advance(BEAT_SECONDS)
    scene.loop.step()
    assert scene.store.beats == [True, True]
    scene.session.is_listening = False
    scene.loop.step()
    assert scene.store.beats == [True, True, False]


def test_a_lost_session_reaches_the_store(scene):
    scene.session.lost_session_at = 4
    scene.take(delivery())
    assert scene.store.forgotten_when_saving == 4, "before messages of the new session are compared"


def test_it_subscribes_without_a_database_too(scene):
    scene.store.is_away = True
    scene.session.subscribed = None
    scene.loop.step()
    scene.loop.step()
    assert scene.session.subscribed == []


def test_it_waits_for_an_absent_database_without_spinning(scene):
    scene.store.is_away = True
    scene.loop.step()
    scene.clock.advance(BEAT_SECONDS)
    scene.loop.step()
    scene.loop.step()
    assert scene.session.waited[-1] == RETRY_SECONDS


def test_a_native_topic_means_its_apartment_whatever_a_meter_claims(scene):
    scene.store.topics = {"electricity/house/floor/101": "native"}
    (item,) = scene.take(delivery())
    assert item.address == Address("house", "101")


def test_a_decoder_that_this_version_lacks_is_named(scene):
    scene.store.topics = {"cellar/main": "from the future"}
    (item,) = scene.take(delivery(topic="cellar/main"))
    assert item.problem.reason == "This version of Riser has no decoder from the future."


def test_a_stop_does_not_wait_for_an_absent_database(scene):
    scene.store.is_away = True
    scene.take(delivery())
    scene.store.farewell = None
    scene.loop.farewell()


def test_any_other_failure_ends_the_step(scene):
    def broken(_batch):
        raise ZeroDivisionError

    scene.store.save = broken
    with pytest.raises(ZeroDivisionError):
        scene.take(delivery())
    assert scene.session.acknowledged == []
