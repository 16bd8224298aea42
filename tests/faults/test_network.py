"""The connection between listener and broker breaks, with and without a word."""

import pytest

from tests.faults.proxy import Proxy
from tests.waiting import wait_for

pytestmark = pytest.mark.fault


@pytest.fixture
def cable(broker):
    with Proxy(broker.port) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("to_broker", "to_client"),
    [(True, True), (True, False), (False, True)],
    ids=["both-ways", "to-broker", "to-listener"],
)
@pytest.mark.timeout(180)
def test_connection_lost_without_a_word(trial, cable, to_broker, to_client):
    readings = 6_000
    listener = trial.listen(MQTT_PORT=str(cable.port))
    publisher = trial.stream(range(readings), rate=200)
    trial.wait_until_stored(500)
    cable.lose(to_broker, to_client)
    trial.faults += 1
    wait_for(lambda: cable.accepted == 2, "the listener notices and connects again", 60)
    publisher.finish()
    trial.finish(readings, listener)


@pytest.mark.timeout(180)
def test_connection_that_flaps(trial, cable):
    readings, flaps = 20_000, 12
    listener = trial.listen(MQTT_PORT=str(cable.port))
    publisher = trial.stream(range(readings), rate=1500)
    for flap in range(1, flaps + 1):
        stored = trial.state()["stored"]
        trial.wait_until_stored(min(stored + 50, readings))
        cable.refuses = flap % 3 == 0
        cable.cut()
        trial.faults += 1
        if cable.refuses:
            listener.wait_until_it_says("no connection to the broker")
            cable.refuses = False
        wait_for(lambda count=flap + 1: cable.accepted == count, "the listener connects again", 40)
    publisher.finish()
    assert not listener.has_ended
    trial.finish(readings, listener)
