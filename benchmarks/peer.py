"""mqttwarn with its SQLite target: what people pick up for storing MQTT messages in SQLite."""

import contextlib
import sqlite3
import subprocess
import time
from pathlib import Path

from benchmarks.stage import FILTER, PROJECT

PROGRAM = PROJECT / ".venv-peers/bin/mqttwarn"
CLIENT = "bench-mqttwarn"
SETTINGS = """
[defaults]
hostname = '127.0.0.1'
port = {port}
clientid = '{client}'
cleansession = False
logfile = '{folder}/mqttwarn.log'
loglevel = ERROR
functions = ''
launch = sqlite

[config:sqlite]
targets = {{ 'readings': ['{folder}/mqttwarn.sqlite3', 'readings'] }}

[{filter}]
targets = sqlite:readings
qos = 1
"""
TOO_LONG = 300.0


def drain_with_mqttwarn(folder: Path, port: int, messages: int) -> float:
    """Messages a second that it stores of a backlog, from its first row to its last."""
    settings = folder / "mqttwarn.ini"
    settings.write_text(SETTINGS.format(port=port, client=CLIENT, folder=folder, filter=FILTER))
    database = folder / "mqttwarn.sqlite3"
    database.unlink(missing_ok=True)
    process = subprocess.Popen(
        [PROGRAM], cwd=folder, env={"MQTTWARNINI": str(settings), "PATH": "/usr/bin:/bin"}, stderr=subprocess.DEVNULL
    )
    try:
        first = _wait_for_rows(database, 1)
        last = _wait_for_rows(database, messages)
    finally:
        process.kill()
        process.wait()
    return messages / (last - first)


def _wait_for_rows(database: Path, number: int) -> float:
    give_up_at = time.perf_counter() + TOO_LONG
    while (count := _count(database)) < number:
        assert time.perf_counter() < give_up_at, f"mqttwarn stored {count} of {number}"
        time.sleep(0.01)
    return time.perf_counter()


def _count(database: Path) -> int:
    if not database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT max(rowid) FROM readings").fetchone()[0] or 0)
        except sqlite3.OperationalError:  # no table yet, or it is writing
            return 0
