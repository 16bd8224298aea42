"""How long another writer waits at worst while housekeep deletes four of five million readings.

On SQLite and on PostgreSQL: fills a table with 400 meters' readings, runs `manage.py housekeep` as a
process and, in another, a writer that commits by turns what a listener does (ten readings) and what a page
does (a resident keeps a reading), through the ORM and onto the disk. The time is from asking to committed.
A ratio below 1 is good. A third process knows no database: it writes 8 KiB to a file on the same disk and waits
until they are there. How long it waits at worst is the disk's share, which no database can be without.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import stage
from benchmarks.table import row, section
from tests.postgres import Cluster

ROWS = int(os.environ.get("ROWS", "5000000"))
OLD = ROWS * 4 // 5
LIMIT_MS = 100.0
ALONE_SECONDS = 30.0
PAUSE_SECONDS = 0.01
BATCH = 10
PAGE_BYTES, FILE_BYTES = 8192, 16 * 1024**2
RETENTION_DAYS = 7


def fill() -> None:
    """Readings in the order of receipt, four fifths of them too old; one in 100,000 is kept by a resident."""
    from django.db import connection
    from django.utils import timezone

    from metering.models import Meter
    from metering.models.instant import to_microseconds

    first = Meter.objects.order_by("pk").values_list("pk", flat=True)[0]
    start = to_microseconds(timezone.now()) - RETENTION_DAYS * 86_400_000_000 - OLD * 25_000
    instant = f"{start} + i * 25000"
    if connection.vendor == "postgresql":
        instant = f"timestamptz '1970-01-01 00:00:00+00' + ({start} + i::bigint * 25000) * interval '1 microsecond'"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS - 1})
            INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note, saved_at)
            SELECT {first} + i % {stage.METERS}, {instant}, 230.0, 2.0, 460.0, '',
                   CASE WHEN i % 100000 = 7 THEN {instant} END
            FROM n
            """
        )
        cursor.execute(
            "VACUUM ANALYZE metering_reading"
            if connection.vendor == "postgresql"
            else "PRAGMA wal_checkpoint(TRUNCATE)"
        )


def write(seconds: float) -> None:
    """The writer: prints how long each commit took, in ms, as JSON, when its time is over or a line comes in."""
    import select

    from django.db import transaction
    from django.utils import timezone

    from metering.models import Meter, Reading

    meters = list(Meter.objects.values_list("pk", flat=True)[:BATCH])
    kept = Reading.objects.order_by("-pk")[0]
    times: list[float] = []
    give_up_at = time.perf_counter() + seconds
    while time.perf_counter() < give_up_at and not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        now = timezone.now()
        rows = [Reading(meter_id=meter, taken_at=now, voltage=230, current=2, power=460) for meter in meters]
        began = time.perf_counter()
        if len(times) % 2:
            kept.note = str(len(times))
            kept.save(update_fields=["note"])
        else:
            with transaction.atomic():
                Reading.objects.bulk_create(rows)
        times.append((time.perf_counter() - began) * 1000)
    print(json.dumps(times))


def sync(seconds: float) -> None:
    """The disk's share: prints how long each write to a file took, in ms, as JSON, when a line comes in."""
    import select

    times: list[float] = []
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(FILE_BYTES)
        give_up_at = time.perf_counter() + seconds
        while time.perf_counter() < give_up_at and not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            began = time.perf_counter()
            os.pwrite(file.fileno(), os.urandom(PAGE_BYTES), len(times) * PAGE_BYTES % FILE_BYTES)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    print(json.dumps(times))


def start(part: str, seconds: float) -> subprocess.Popen[str]:
    """This module again, as the writer (`write`) or as the disk's share (`sync`)."""
    command = [sys.executable, "-m", "benchmarks.housekeep", part, str(seconds)]
    return subprocess.Popen(command, cwd=stage.PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[float]:
    """What it measured."""
    times: list[float] = json.loads(process.communicate("enough\n")[0])
    return times


def measure() -> None:
    """Print the rows of one database."""
    from django.db import connection

    from metering.models import Reading

    fill()
    with start("write", ALONE_SECONDS) as writer:
        assert writer.stdout
        alone = json.loads(writer.stdout.read())
    before = Reading.objects.count()
    writer, disk = start("write", 86_400), start("sync", 86_400)
    began = time.perf_counter()
    command = [sys.executable, "manage.py", "housekeep"]
    subprocess.run(command, cwd=stage.PROJECT, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    during, synced = finish(writer), finish(disk)
    deleted = before + len(during[::2]) * BATCH - Reading.objects.count()
    section(f"Housekeeping: {deleted:,} of {before:,} readings deleted on {connection.vendor}, while others write")
    measured = (("a writer alone", alone), ("a writer during housekeep", during), ("a plain file meanwhile", synced))
    for name, times in measured:
        times.sort()
        row(f"{name}, p99 of {len(times):,}", [times[len(times) * 99 // 100]], "ms")
        row(f"{name}, worst", [times[-1]], "ms", times[-1] / LIMIT_MS, f"of {LIMIT_MS:.0f} ms")
    row("readings deleted", [deleted / took], "/s")


def on(database_url: str) -> None:
    """Measure in a process of its own: one process knows one database."""
    stage.use(database_url, mqtt_port=1)
    os.environ["READING_RETENTION_DAYS"] = str(RETENTION_DAYS)
    stage.in_own_process("house")
    subprocess.run([sys.executable, "-m", "benchmarks.housekeep", "measure"], cwd=stage.PROJECT, check=True)


def main(what: str = "", seconds: str = "") -> None:
    """Measure on both databases, or be one of the processes that this takes."""
    if what:
        stage.setup_django()
    if what in ("write", "sync"):
        {"write": write, "sync": sync}[what](float(seconds))
    elif what == "measure":
        measure()
    else:
        with tempfile.TemporaryDirectory() as folder:
            on(f"sqlite:///{Path(folder)}/bench.sqlite3")
        with Cluster() as cluster:
            cluster.create_database("bench")
            on(cluster.url("bench"))


if __name__ == "__main__":
    main(*sys.argv[1:])
