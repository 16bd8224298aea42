"""The broker is restarted, or killed, while meters publish."""

import json
import time

import pytest

from tests.faults.publisher import topic_of
from tests.waiting import wait_for

pytestmark = pytest.mark.fault

EVERY_SECOND = ("allow_anonymous true", "autosave_interval 1")
EVERY_CHANGE = (*EVERY_SECOND, "autosave_on_changes true")
UNSAVED_SECONDS = 3.0
"""mosquitto counts in whole seconds, and has to write then."""
WRITING_SECONDS = 1.0
"""mosquitto acknowledges what it is about to write."""


def with_register(number, attempt):
    """A reading of a meter that counts 1 Wh a reading."""
    payload = {"voltage": attempt, "current": 1, "power": number, "energy": number / 1000}
    return topic_of(0), json.dumps(payload).encode()


def interrupt(trial, publisher, readings, times, end_broker):
    """End the broker so many times, evenly spread over the stream, and start it again."""
    for number in range(1, times + 1):
        publisher.wait_for(readings * number // (times + 1))
        end_broker()
        trial.broker.start()
        trial.faults += 1
    publisher.finish()


def lost_by_broker(trial, publisher, within):
    """How many readings are not stored. None was acknowledged more than so many seconds before the broker's end."""
    trial.drain()
    lost = publisher.acknowledged.keys() - trial.stored()
    for number in lost:
        acknowledged_at = publisher.acknowledged[number]
        assert any(0 <= end - acknowledged_at < within for end in publisher.interruptions), number
    return len(lost)


@pytest.mark.timeout(180)
def test_broker_restarted_ten_times_under_load(trial):
    readings = 20_000
    listener = trial.listen()
    publisher = trial.stream(range(readings), rate=2000)
    interrupt(trial, publisher, readings, 10, trial.broker.stop)
    trial.finish(readings, listener)


@pytest.mark.parametrize("broker_settings", [EVERY_SECOND], ids=["saved-every-second"])
@pytest.mark.timeout(180)
def test_broker_killed_loses_at_most_what_it_had_not_saved(trial):
    readings = 12_000
    listener = trial.listen()
    publisher = trial.stream(range(readings), rate=1000, message=with_register)
    trial.wait_until_stored(1)
    interrupt(trial, publisher, readings, 6, trial.broker.kill)
    lost = lost_by_broker(trial, publisher, UNSAVED_SECONDS)
    registers = trial.house.query(
        "SELECT energy_total FROM metering_reading WHERE energy_total IS NOT NULL ORDER BY id"
    )
    assert registers[-1][0] - registers[0][0] == (readings - 1) / 1000, "the register bridges what was lost"
    trial.finish(readings, listener, lost=lost)


@pytest.mark.parametrize("broker_settings", [EVERY_CHANGE], ids=["saved-at-every-change"])
@pytest.mark.timeout(180)
def test_broker_killed_loses_at_most_what_it_was_writing(trial):
    readings = 1_200
    listener = trial.listen()
    publisher = trial.stream(range(readings), rate=150)
    interrupt(trial, publisher, readings, 6, trial.broker.kill)
    lost = lost_by_broker(trial, publisher, WRITING_SECONDS)
    trial.finish(readings, listener, lost=lost)


@pytest.mark.parametrize("broker_settings", [EVERY_SECOND], ids=["saved-every-second"])
@pytest.mark.timeout(180)
def test_broker_killed_while_a_backlog_drains_sends_nothing_that_counts_twice(trial):
    readings = 20_000
    trial.stop(trial.listen())
    trial.publish(range(readings))
    file, until = trial.broker.folder / "mosquitto.db", time.time()
    wait_for(lambda: file.exists() and file.stat().st_mtime > until + 1, "the broker has saved all of it")
    listener = trial.start_listener()
    trial.wait_until_stored(8_000)
    trial.broker.kill()
    trial.faults += 1
    trial.broker.start()
    trial.finish(readings, listener)
