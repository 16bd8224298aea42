"""Three listeners share the messages, and are killed in turn."""

import pytest

from tests.faults.publisher import reading, topic_of
from tests.faults.trial import LAST

pytestmark = pytest.mark.fault

READINGS, KILLS = 20_000, 15
NAMES = ("one", "two", "three")


def one_meter(number, attempt):
    """All readings are of one meter, so that listeners meet at the same instants."""
    return topic_of(0), reading(number, attempt)[1]


def start(trial, name):
    return trial.start_listener("--shared", "house", MQTT_CLIENT_ID=name)


@pytest.mark.timeout(240)
def test_three_that_share_are_killed_fifteen_times_under_load(trial):
    listeners = {name: trial.listen("--shared", "house", MQTT_CLIENT_ID=name) for name in NAMES}
    publisher = trial.stream(range(READINGS), rate=1200, message=one_meter)
    for kill in range(KILLS):
        trial.wait_until_stored((kill + 1) * READINGS // (KILLS + 3))
        name = NAMES[kill % len(NAMES)]
        trial.kill(listeners[name])
        listeners[name] = start(trial, name)
    publisher.finish()
    trial.wait_until_stored(READINGS)
    restart_and_drain(trial, listeners.values())
    trial.conclude(READINGS)


def restart_and_drain(trial, listeners):
    """Other listeners afterwards store nothing again of what these did."""
    for listener in listeners:
        listener.wait_until_it_says("connected to the broker")
        trial.stop(listener)
    last = 30
    again = [trial.listen("--shared", "house", MQTT_CLIENT_ID=name) for name in NAMES]
    # The broker deals them out in turn, each after what it still had for that listener.
    trial.publish(range(LAST, LAST + last), one_meter)
    trial.wait_until_stored(READINGS + last)
    for listener in again:
        trial.stop(listener)
    assert trial.state()["stored"] == READINGS + last
