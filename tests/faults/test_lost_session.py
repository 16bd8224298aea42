"""The broker comes back knowing nothing, while the listener still holds what it could not store."""

import pytest

from tests.waiting import wait_for

pytestmark = pytest.mark.fault

OLD = NEW = 1000
"""As many as one transaction stores."""


def lose_session(trial, listener):
    """The database is locked. The listener holds OLD readings; the broker forgets them, then gets NEW ones.

    Packet ids begin again: an acknowledgement of an old reading would be one of a new reading.
    """
    wait_for(lambda: trial.state()["received"] == 0 and not trial.broker.unread(), "the first heartbeat")
    with trial.house.locked():
        trial.publish(range(OLD))
        listener.wait_until_it_says("database not available")
        wait_for(lambda: trial.broker.unread() == 0, "the listener has read all of them")
        trial.broker.stop()
        (trial.broker.folder / "mosquitto.db").unlink()
        trial.broker.start()
        trial.faults += 1
        wait_for(lambda: listener.said.count("connected to the broker at") == 2, "the listener is back")
        trial.publish(range(OLD, OLD + NEW))
        wait_for(lambda: trial.broker.unread() == 0, "the listener has read these, too")


@pytest.mark.timeout(120)
def test_session_lost_while_readings_wait_for_the_database(trial):
    listener = trial.listen()
    lose_session(trial, listener)
    trial.finish(OLD + NEW, listener)


@pytest.mark.timeout(120)
def test_session_lost_and_killed_when_the_old_ones_are_acknowledged(trial):
    listener = trial.start_program("tests.faults.dying_listener", "acknowledged")
    listener.wait_until_it_says("connected to the broker")
    lose_session(trial, listener)
    wait_for(lambda: listener.has_ended, "the listener is dead")
    assert trial.stored() == set(range(OLD))
    trial.finish(OLD + NEW, trial.listen())
