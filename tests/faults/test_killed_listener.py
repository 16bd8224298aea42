"""The listener is killed in the middle of its work."""

import signal
import time

import pytest

from tests.waiting import wait_for

pytestmark = pytest.mark.fault

READINGS = 20_000
KILLS = 15


@pytest.mark.timeout(180)
def test_killed_fifteen_times_under_load(trial):
    listener = trial.listen()
    publisher = trial.stream(range(READINGS), rate=1500)
    for kill in range(1, KILLS + 1):
        trial.wait_until_stored(kill * READINGS // (KILLS + 2))
        moment = time.monotonic() + kill * 0.007
        wait_for(lambda at=moment: time.monotonic() >= at, "another moment of the batch than the last time")
        trial.kill(listener)
        listener = trial.start_listener()
    publisher.finish()
    listener.wait_until_it_says("connected to the broker")
    trial.finish(READINGS, listener)


@pytest.mark.parametrize("moment", ["before-commit", "after-commit", "acknowledging"])
@pytest.mark.timeout(180)
def test_killed_at_this_moment_of_every_batch(trial, moment):
    trial.stop(trial.listen())
    trial.publish(range(READINGS))
    for _ in range(KILLS):
        listener = trial.start_program("tests.faults.dying_listener", moment)
        wait_for(lambda dying=listener: dying.has_ended, "the listener is dead")
        assert listener.wait() == -signal.SIGKILL, listener.said
        trial.faults += 1
    trial.finish(READINGS, trial.listen())
