"""How fast a backlog is drained: the listener against bare paho and against mqttwarn, on one broker.

100,000 QoS 1 messages of 400 apartments wait at a mosquitto of the benchmark's own. A bare paho client
acknowledges each and stores nothing; the listener stores every reading (on SQLite with synchronous=FULL,
and on a PostgreSQL of the benchmark's own, both with fsync) and acknowledges after the commit. A ratio of 1
to paho would mean that storing costs nothing. mqttwarn, far slower, gets a twentieth of the messages.
"""

import os
import statistics
import tempfile
from pathlib import Path

from benchmarks import stage
from benchmarks.peer import CLIENT as PEER
from benchmarks.peer import drain_with_mqttwarn
from benchmarks.table import row, section
from tests.broker import Broker
from tests.postgres import Cluster

MESSAGES = int(os.environ.get("MESSAGES", "100000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
FLOOR, GOAL, PEER_FLOOR = 0.22, 0.35, 25
MEMORY_LIMIT_MIB = 150


def main() -> None:
    """Print the rows."""
    bare, sqlite, postgres, peer, peaks = [], [], [], [], []
    with tempfile.TemporaryDirectory() as name, Broker(Path(name), *stage.LIMITS) as broker, Cluster() as cluster:
        cluster.create_database("bench")
        stores = {"sqlite": (f"sqlite:///{name}/bench.sqlite3", sqlite), "postgres": (cluster.url("bench"), postgres)}
        for url, _ in stores.values():
            stage.use(url, broker.port)
            stage.in_own_process("house")
        for _ in range(ROUNDS):
            stage.leave_backlog(broker.port, MESSAGES, ["bare", *stores])
            bare.append(stage.in_own_process("bare", str(broker.port), "bare", str(MESSAGES))["rate"])
            for client, (url, rates) in stores.items():
                stage.use(url, broker.port)
                drained = stage.in_own_process("listener", str(broker.port), client, str(MESSAGES))
                rates.append(drained["rate"])
                peaks.append(drained["peak_mib"])
            stage.forget(broker.port, "bare", *stores)
            stage.leave_backlog(broker.port, MESSAGES // 20, [PEER])
            peer.append(drain_with_mqttwarn(Path(name), broker.port, MESSAGES // 20))
            stage.forget(broker.port, PEER)
    section(f"Drain of {MESSAGES:,} waiting messages, every reading stored and acknowledged after its commit")
    row("paho with an empty callback", bare, "/s")
    for what, rates in (("listener, SQLite", sqlite), ("listener, PostgreSQL", postgres)):
        ratio = statistics.median(rates) / statistics.median(bare)
        row(what, rates, "/s", ratio, f"of paho (floor {FLOOR}, goal {GOAL})")
    times = statistics.median(sqlite) / statistics.median(peer)
    row("mqttwarn, SQLite target", peer, "/s", times, f"times is the listener faster (at least {PEER_FLOOR})")
    row("listener's peak memory", peaks, "MiB", max(peaks) / MEMORY_LIMIT_MIB, f"of {MEMORY_LIMIT_MIB} MiB")


if __name__ == "__main__":
    main()
