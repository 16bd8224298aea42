"""From the publication of a reading to its row: 400 meters at one reading a second, for half a minute.

The real `manage.py mqtt_listen` on SQLite. Another process looks for new rows a thousand times a second;
readings carry their number as their current, so that each row can be told. Also the processor's and the
memory's share of the listener, and what a reading takes on disk.
"""

import contextlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import stage
from benchmarks.table import row, section
from tests.broker import Broker

SECONDS = int(os.environ.get("SECONDS", "30"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
RATE = stage.METERS
P50_LIMIT_MS, P99_LIMIT_MS = 50.0, 250.0
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the rows."""
    rounds = [_one_round() for _ in range(ROUNDS)]
    section(f"Steady stream, {RATE} readings a second for {SECONDS} s, SQLite")
    p50, p99 = [r["p50"] for r in rounds], [r["p99"] for r in rounds]
    row("publish to committed row, p50", p50, "ms", statistics.median(p50) / P50_LIMIT_MS, f"of {P50_LIMIT_MS:.0f} ms")
    row("publish to committed row, p99", p99, "ms", statistics.median(p99) / P99_LIMIT_MS, f"of {P99_LIMIT_MS:.0f} ms")
    row("listener's share of one processor", [100 * r["cpu"] for r in rounds], "%")
    row("listener's memory", [r["memory"] for r in rounds], "MiB")


def _one_round() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name, Broker(Path(name), *stage.LIMITS) as broker:
        database = Path(name) / "bench.sqlite3"
        stage.use(f"sqlite:///{database}", broker.port)
        stage.in_own_process("house")
        listener = subprocess.Popen(
            [sys.executable, "manage.py", "mqtt_listen"], cwd=stage.PROJECT, stderr=subprocess.DEVNULL
        )
        try:
            _wait_until_listening(database)
            return _measure(listener.pid, broker.port, database)
        finally:
            listener.terminate()
            listener.wait()


def _wait_until_listening(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        while not connection.execute("SELECT count(*) FROM metering_listenerstate WHERE broker_connected").fetchone()[
            0
        ]:
            time.sleep(0.05)


def _measure(pid: int, port: int, database: Path) -> dict[str, float]:
    published: list[float] = []
    seen: dict[int, float] = {}
    cpu, began = cpu_seconds(pid), time.perf_counter()
    with stage.publisher(port) as meters, contextlib.closing(sqlite3.connect(database)) as connection:
        last = 0
        while len(seen) < RATE * SECONDS:
            now = time.perf_counter()
            while len(published) < min(RATE * SECONDS, int((now - began) * RATE)):
                number = len(published)
                published.append(time.perf_counter())
                text = f'{{"voltage": 230.0, "current": {number / 1000}}}'
                meters.publish(f"electricity/house/floor/{1000 + number % stage.METERS}", text, qos=1)
            rows = connection.execute("SELECT id, current FROM metering_reading WHERE id > ?", (last,)).fetchall()
            now = time.perf_counter()
            for row_id, current in rows:
                seen[round(current * 1000)], last = now, row_id
            time.sleep(0.001)
        took, used = time.perf_counter() - began, cpu_seconds(pid) - cpu
    delays = sorted(1000 * (seen[number] - published[number]) for number in range(len(published)))
    return {
        "p50": delays[len(delays) // 2],
        "p99": delays[len(delays) * 99 // 100],
        "cpu": used / took,
        "memory": peak_mib(pid),
    }


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_mib(pid: int) -> float:
    """The most memory that a process had."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
