"""The listener was away for long."""

import pytest

pytestmark = pytest.mark.fault

READINGS = 200_000
MEMORY = 150
"""MiB"""


@pytest.mark.timeout(300)
def test_backlog_of_200_000(trial):
    trial.stop(trial.listen())
    trial.publish(range(READINGS))
    trial.faults += 1
    listener = trial.listen()
    trial.wait_until_stored(READINGS, 120)
    trial.finish(READINGS, listener)
    assert trial.peak < MEMORY
