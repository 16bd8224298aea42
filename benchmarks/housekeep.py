"""How long another writer waits at worst while housekeep deletes four of five million readings.

Fills a database of its own with 400 meters' readings, runs `manage.py housekeep` as a process and, in
another, a writer that commits what a listener does (ten readings) and what a page does (a resident keeps a
reading), by turns and through the ORM, synchronous=FULL on SQLite. Prints the writer's p99 and worst time
from asking to committed, alone and during housekeep, the ratio of the worst to the limit of 100 ms (below 1
is good), and the readings deleted a second. DATABASE_URL names an empty PostgreSQL database instead; ROWS
another number.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = int(os.environ.get("ROWS", "5000000"))
OLD = ROWS * 4 // 5
METERS = 400
LIMIT_MS = 100.0
ALONE_SECONDS = 10.0
PAUSE_SECONDS = 0.01
BATCH = 10
PROJECT = Path(__file__).resolve().parent.parent


def settle(folder: str) -> None:
    """Point Django, here and in the processes to come, at the benchmark's database."""
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3")
    settings = {"DEBUG": "off", "ALLOWED_HOSTS": "testserver", "READING_RETENTION_DAYS": "7", "HTTPS": "off"}
    os.environ.update(settings | {"ENV_FILE": os.devnull, "SECRET_KEY": "bench" * 10})
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()


def fill() -> None:
    """Readings in the order of receipt, four fifths of them too old; one in 100,000 is kept by a resident."""
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from accounts.models import Apartment, Building
    from metering.models import Meter
    from metering.models.instant import to_microseconds

    call_command("migrate", verbosity=0)
    building = Building.objects.create(slug="house", name="House")
    apartments = [Apartment(building=building, number=str(1000 + number), floor="1") for number in range(METERS)]
    Meter.objects.ensure_native(Apartment.objects.bulk_create(apartments))
    start = to_microseconds(timezone.now()) - 7 * 86_400_000_000 - OLD * 25_000
    instant = f"({start} + i::bigint * 25000)" if connection.vendor == "postgresql" else f"({start} + i * 25000)"
    if connection.vendor == "postgresql":
        instant = f"(timestamptz '1970-01-01 00:00:00+00' + {instant} * interval '1 microsecond')"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS - 1})
            INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note, saved_at)
            SELECT (SELECT min(id) FROM metering_meter) + i % {METERS}, {instant}, 230.0, 2.0, 460.0, '',
                   CASE WHEN i % 100000 = 7 THEN {instant} END
            FROM n
            """
        )
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            cursor.execute("VACUUM ANALYZE metering_reading")


def write(seconds: float) -> None:
    """The writer: prints how long each commit took, in ms, as JSON, when its time or its input ends."""
    import select

    from django.db import transaction
    from django.utils import timezone

    from metering.models import Meter, Reading

    meters = list(Meter.objects.values_list("pk", flat=True)[:BATCH])
    reading = Reading.objects.first()
    assert reading
    times: list[float] = []
    give_up_at = time.perf_counter() + seconds
    while time.perf_counter() < give_up_at and not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        now = timezone.now()
        rows = [Reading(meter_id=meter, taken_at=now, voltage=230, current=2, power=460) for meter in meters]
        began = time.perf_counter()
        if len(times) % 2:
            reading.note = str(len(times))
            reading.save(update_fields=["note"])
        else:
            with transaction.atomic():
                Reading.objects.bulk_create(rows)
        times.append((time.perf_counter() - began) * 1000)
    print(json.dumps(times))


def start_writer(seconds: float) -> subprocess.Popen[str]:
    """This script again, as the writer."""
    command = [sys.executable, __file__, "write", str(seconds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measure() -> None:
    """Prints the table."""
    from django.db import connection

    from metering.models import Reading

    with start_writer(ALONE_SECONDS) as writer:
        assert writer.stdout
        alone = json.loads(writer.stdout.read())
    before = Reading.objects.count()
    writer = start_writer(86_400)
    began = time.perf_counter()
    subprocess.run([sys.executable, "manage.py", "housekeep"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    during = json.loads(writer.communicate("enough\n")[0])
    deleted = before + len(during[::2]) * BATCH - Reading.objects.count()
    print(f"housekeep deletes {deleted:,} of {before:,} readings on {connection.vendor}, limit {LIMIT_MS:.0f} ms")
    for name, times in (("writer alone", alone), ("during housekeep", during)):
        times.sort()
        worst, p99 = times[-1], times[len(times) * 99 // 100]
        print(f"  {name:17} {len(times):6,} commits   p99 {p99:6.1f} ms   worst {worst:6.1f} ms", end="")
        print(f"   ratio {worst / LIMIT_MS:.2f}")
    print(f"  {deleted / took:,.0f} readings deleted a second")


def main() -> None:
    """Fills and measures, or writes."""
    with tempfile.TemporaryDirectory() as folder:
        settle(folder)
        if len(sys.argv) > 1:
            write(float(sys.argv[2]))
        else:
            fill()
            measure()


if __name__ == "__main__":
    main()
