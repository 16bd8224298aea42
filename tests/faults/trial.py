"""A fault tried on a real installation, and the figures that come of it."""

import re
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.broker import Broker
from tests.faults.publisher import Message, Publisher, publish, reading
from tests.installation import Installation, Process
from tests.waiting import wait_for

LAST = 9_000_000
"""Numbers from here on mark the end and are not counted."""


class Trial:
    """One installation under a fault. `finish` says what became of the readings."""

    def __init__(self, house: Installation, broker: Broker, record: Callable[[str, Any], None]) -> None:
        self.house = house
        self.broker = broker
        self._record = record
        self._publishers: list[Publisher] = []
        self._began = time.monotonic()
        self.last = LAST
        """The newest of the readings that mark an end."""
        self._peak = 0.0
        self.faults = 0
        """How many times the fault was brought about."""

    # --- The listener ---

    def listen(self, *arguments: str, **settings: str) -> Process:
        """A listener that is connected."""
        listener = self.start_listener(*arguments, **settings)
        listener.wait_until_it_says("connected to the broker")
        return listener

    def start_listener(self, *arguments: str, **settings: str) -> Process:
        return self.house.start("mqtt_listen", *arguments, **settings)

    def start_program(self, module: str, *arguments: str) -> Process:
        """A program of the tests that is the listener with something amiss."""
        log = self.house.folder / f"{len(self.house.processes)}-{module.rpartition('.')[2]}.log"
        process = Process([sys.executable, "-m", module, *arguments], self.house.env, log)
        self.house.processes.append(process)
        return process

    def kill(self, listener: Process) -> None:
        self.note_memory(listener)
        listener.signal(signal.SIGKILL)
        listener.wait()
        self.faults += 1

    def stop(self, listener: Process) -> None:
        """Stop it as an operator does."""
        self.note_memory(listener)
        listener.signal(signal.SIGTERM)
        assert listener.wait(20) == 0, listener.said

    def note_memory(self, process: Process) -> None:
        self._peak = max(self._peak, peak_memory(process.pid))

    @property
    def peak(self) -> float:
        """MiB, the most that any listener had in memory."""
        return self._peak

    # --- What is stored ---

    def state(self) -> dict[str, Any]:
        """Counters of all listeners, summed."""
        names = ("received", "stored", "duplicates", "ignored", "rejected")
        columns = ", ".join(f"COALESCE(SUM({name}), 0)" for name in names)
        (row,) = self.house.query(f"SELECT {columns} FROM metering_listenerstate")
        return dict(zip(names, map(int, row), strict=True))

    def wait_until_stored(self, count: int, timeout: float = 60.0) -> None:
        wait_for(lambda: self.state()["stored"] >= count, f"{count} readings are stored", timeout)

    def stored(self) -> set[int]:
        """The numbers of the readings in the table."""
        return {
            round(power) for (power,) in self.house.query(f"SELECT power FROM metering_reading WHERE power < {LAST}")
        }

    def count(self, what: str) -> int:
        (row,) = self.house.query(f"SELECT COUNT(*) FROM ({what}) AS counted")
        return int(row[0])

    def publish(self, numbers: Iterable[int], message: Callable[[int, int], Message] = reading) -> None:
        publish(self.broker.port, numbers, message)

    def stream(self, numbers: Iterable[int], rate: float, **more: Any) -> Publisher:
        """A publisher that works while the test brings about its fault."""
        publisher = Publisher(self.broker.port, numbers, rate=rate, **more)
        self._publishers.append(publisher)
        publisher.start()
        return publisher

    def close(self) -> None:
        for publisher in self._publishers:
            publisher.abandon()

    # --- The end ---

    def drain(self, timeout: float = 150.0) -> None:
        """Wait until everything published so far is stored: a reading that is published now comes last."""
        self.last += 1
        publish(self.broker.port, [self.last])
        newest = "SELECT power FROM metering_reading ORDER BY id DESC LIMIT 1"
        wait_for(lambda: self.house.query(newest) == [(self.last,)], "the last reading is stored", timeout)

    def finish(self, published: int, *listeners: Process, lost: int = 0) -> None:
        """Nothing is lost and nothing counted twice, by another listener afterwards neither.

        Each of `published` numbers, but for `lost` of them, is stored, and no message is stored twice.
        Messages that the publisher had to send again are new ones and told apart.
        """
        self.drain()
        for listener in listeners:
            self.stop(listener)
        stored = self.state()["stored"]
        again = self.listen()
        self.drain()
        self.stop(again)
        # An acknowledgement may be lost on the way, where a broker is slow to read it. Then the journal knows.
        assert self.state()["stored"] == stored + 1, "the broker brought what was stored, and it was stored again"
        self.conclude(published, lost)

    def conclude(self, published: int, lost: int = 0) -> None:
        """Record the figures, then hold them to what they must be."""
        readings = f"metering_reading WHERE power < {LAST}"
        rows = self.count(f"SELECT power FROM {readings}")
        distinct = self.count(f"SELECT DISTINCT power FROM {readings}")
        messages = self.count(f"SELECT DISTINCT power, voltage FROM {readings}")
        row = {
            "published": published,
            "stored": rows,
            "distinct": distinct,
            "lost": published - distinct,
            "sent again": messages - distinct,
            "recognised": self.state()["duplicates"],
            "faults": self.faults,
            "seconds": round(time.monotonic() - self._began, 1),
            "peak MiB": round(self._peak),
        }
        self._record("figures", row)
        assert distinct == published - lost, row
        assert rows == messages, row


def peak_memory(pid: int) -> float:
    """MiB, the most a process had in memory so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert found, f"process {pid} has no memory any more"
    return int(found[1]) / 1024
