"""Whatever fails in the listener ends it, so that systemd starts another; a listener that hangs is noticed."""

import contextlib
import signal
import socket
import time

import pytest

from tests.waiting import wait_for

pytestmark = [
    pytest.mark.fault,
    # The same with any database.
    pytest.mark.sqlite,
]

PARTS = ["receive", "_on_connect", "_on_subscribe", "_on_message", "subscribe", "decode", "save", "acknowledge", "beat",
         "forget_before", "meter_topics"]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.timeout(120)
def test_failure_ends_the_listener(trial, part):
    trial.stop(trial.listen())
    trial.publish(range(100))
    broken = trial.start_program("tests.faults.broken_listener", part)
    assert broken.wait(30) == 1
    trial.faults += 1
    assert "Traceback" in broken.said
    assert "BrokenOnPurpose" in broken.said.splitlines()[-1]
    trial.finish(100, trial.listen())


class Systemd:
    """Counts the listener's signs of life."""

    def __init__(self, path):
        self.path = str(path)
        self.signs = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def close(self):
        self._socket.close()

    def hear(self):
        """How many there were so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.signs += b"WATCHDOG=1" in self._socket.recv(200)
        return self.signs

    def silent_since(self):
        """Seconds without a sign."""
        now, before = time.monotonic(), self.signs
        if self.hear() != before or not hasattr(self, "_heard_at"):
            self._heard_at = now
        return now - self._heard_at


@pytest.mark.timeout(120)
def test_stopped_process_gives_no_sign_of_life(trial, tmp_path):
    with contextlib.closing(Systemd(tmp_path / "notify")) as systemd:
        watch(trial, systemd)


def watch(trial, systemd):
    listener = trial.listen(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="60000000")
    for _ in range(3):
        heard = systemd.hear()
        wait_for(lambda before=heard: systemd.hear() > before, "another sign of life")
    listener.signal(signal.SIGSTOP)
    trial.faults += 1
    systemd.hear()
    # Twice as long as the longest step of a listener that has nothing to do.
    wait_for(lambda: systemd.silent_since() > 2, "not a sign of life from a process that is stopped")
    trial.publish(range(100))
    listener.signal(signal.SIGCONT)
    wait_for(lambda before=systemd.signs: systemd.hear() > before, "signs of life again")
    trial.finish(100, listener)
