"""Whether storing gets slower as the table grows: the same drain into 10 million readings and into none.

Also what a reading takes on disk, in the table and in its index.
"""

import contextlib
import os
import sqlite3
import statistics
import tempfile
from pathlib import Path

from benchmarks import stage
from benchmarks.table import row, section
from tests.broker import Broker

MESSAGES = int(os.environ.get("MESSAGES", "100000"))
ROWS = int(os.environ.get("ROWS", "10000000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
LIMIT = 1.3
BYTES_GOAL = 80
# Ten seconds between two readings of a meter, the last one a minute ago.
FILL = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {rows} - 1)
    INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)
    SELECT 1 + i % {meters}, (strftime("%s", "now") - 60) * 1000000 - ({rows} - i) * 10000000 / {meters},
           229 + i % 30 / 10.0, i % 1000 / 100.0, (229 + i % 30 / 10.0) * (i % 1000 / 100.0), ''
    FROM n
"""


def main() -> None:
    """Print the rows."""
    rates: dict[str, list[float]] = {"empty": [], "full": []}
    with tempfile.TemporaryDirectory() as name, Broker(Path(name), *stage.LIMITS) as broker:
        databases = {size: Path(name) / f"{size}.sqlite3" for size in rates}
        for database in databases.values():
            stage.use(f"sqlite:///{database}", broker.port)
            stage.in_own_process("house")
        with contextlib.closing(sqlite3.connect(databases["full"])) as connection, connection:
            connection.execute(FILL.format(rows=ROWS, meters=stage.METERS))
        for _ in range(ROUNDS):
            stage.leave_backlog(broker.port, MESSAGES, list(rates))
            for size, database in databases.items():
                stage.use(f"sqlite:///{database}", broker.port)
                rates[size].append(stage.in_own_process("listener", str(broker.port), size, str(MESSAGES))["rate"])
            stage.forget(broker.port, *rates)
            _empty(databases["empty"])
        table, index, rows = _bytes(databases["full"])
    section(f"Growth: drain of {MESSAGES:,} messages into a table of {ROWS:,} readings")
    row("into an empty table", rates["empty"], "/s")
    ratio = statistics.median(rates["empty"]) / statistics.median(rates["full"])
    row("into the full table", rates["full"], "/s", ratio, f"times slower (at most {LIMIT})")
    size = (table + index) / rows
    row(
        f"bytes a reading, of these in the index {index / rows:.0f}",
        [size],
        "B",
        size / BYTES_GOAL,
        f"of {BYTES_GOAL} B",
    )


def _empty(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM metering_reading")
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'metering_reading'")


def _bytes(database: Path) -> tuple[int, int, int]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        sizes = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
        rows = connection.execute("SELECT count(*) FROM metering_reading").fetchone()[0]
    index = sum(size for name, size in sizes.items() if "metering_reading" in name) - sizes["metering_reading"]
    return sizes["metering_reading"], index, rows


if __name__ == "__main__":
    main()
