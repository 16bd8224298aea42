"""Pages and exports of a building that has run for a year: 400 apartments, a reading every ten seconds.

Fills a database with a year of quarter hours and days, and seven days of readings, 24 million rows, in bulk; then asks
for pages as a browser would, through Django's own client, and measures the server's time. The ratio is to the limit;
below 1 is good. `python -m benchmarks.years [sqlite|postgresql]`; DAYS and READING_DAYS make it smaller.
"""

import datetime as dt
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import call_command

from benchmarks import stage
from benchmarks.table import row, section
from tests.postgres import Cluster

DAYS = int(os.environ.get("DAYS", "365"))
READING_DAYS = int(os.environ.get("READING_DAYS", "7"))
EVERY_SECONDS = 10
TIMES = 60
RARE_TIMES = 7


# The meters, from 0 on.
METERS = f"WITH RECURSIVE m(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM m WHERE i < {stage.METERS - 1})"


def fill() -> None:
    """Everything as housekeep would have left it: derived, summed by the hours of a tariff of two rates."""
    from django.db import connection
    from django.utils import timezone

    from accounts.models import Building, Tenancy
    from metering.models import DayTotal, LoadProgress, Meter, Rate, Reading, Tariff
    from metering.month_totals import sum_month
    from metering.tariffs import Timeline

    Building.objects.update(timezone="Europe/Berlin")
    building = Building.objects.get()
    Tenancy.objects.bulk_create(Tenancy(apartment=home, moved_in="2020-01-01") for home in building.apartments.all())
    tariff = Tariff.objects.create(
        building=building, valid_from="2020-01-01", currency="EUR", standing_charge="0.3", tax_rate=19, applied=True
    )
    Rate.objects.create(tariff=tariff, name="Day", price="0.31", hours="Mon-Fri 06:00-22:00")
    Rate.objects.create(tariff=tariff, name="Night", price="0.24")
    bands = [priced.band.pk for priced in Timeline(building).rates(tariff)]
    first = Meter.objects.order_by("pk").values_list("pk", flat=True)[0]
    postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        _fill_loads(cursor, first, timezone.now())
        _fill_days(cursor, first, bands, building.today())
        for month in DayTotal.objects.dates("date", "month"):
            sum_month(range(first, first + stage.METERS), month)
        _fill_readings(cursor, first, timezone.now(), postgres=postgres)
        cursor.execute("VACUUM ANALYZE" if postgres else "PRAGMA wal_checkpoint(TRUNCATE)")
        if not postgres:
            cursor.execute("ANALYZE")
    newest = Reading.objects.order_by("-pk").values_list("pk", flat=True)[0]
    LoadProgress.objects.update_or_create(pk=1, defaults={"derived_to": newest})


def _fill_loads(cursor: Any, first: int, now: dt.datetime) -> None:
    from metering.models.load import quarter_of

    for day in range(DAYS):
        begin = quarter_of(now) - (DAYS - day) * 96
        cursor.execute(
            f"""{METERS}, q(k) AS (SELECT {begin} UNION ALL SELECT k + 1 FROM q WHERE k < {begin + 95})
            INSERT INTO metering_load (meter_id, quarter, energy, exported, bridged, covered, samples, power_min,
                power_mean, power_max, voltage_min, voltage_mean, voltage_max)
            SELECT {first} + i, k, 50000 + (i * 7 + k * 13) % 90000, 0, 0, 900, 90, 40, 280, 900 + (i + k) % 2000,
                2250, 2300, 2350 FROM q CROSS JOIN m"""
        )


def _fill_days(cursor: Any, first: int, bands: list[int], today: dt.date) -> None:
    for day in range(DAYS + 1):
        for band in bands:
            cursor.execute(
                f"""{METERS} INSERT INTO metering_daytotal (meter_id, date, band_id, energy, exported, bridged,
                    covered, samples, power_max)
                SELECT {first} + i, %s, {band}, 4000000 + (i * 7 + {day}) * 1000, 0, 0, 43200, 4320, 2500 FROM m""",
                [today - dt.timedelta(days=DAYS - day)],
            )


def _fill_readings(cursor: Any, first: int, now: dt.datetime, *, postgres: bool) -> None:
    from metering.models.instant import to_microseconds

    step = EVERY_SECONDS * 1_000_000
    for hour in range(READING_DAYS * 24):
        begin = to_microseconds(now) - READING_DAYS * 86_400_000_000 + hour * 3_600_000_000
        instant = f"{begin} + k * {step} + i * 20000"
        if postgres:
            instant = f"timestamptz 'epoch' + ({begin} + k::bigint * {step} + i * 20000) * interval '1 microsecond'"
        cursor.execute(
            f"""{METERS}, q(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM q WHERE k < {3600 // EVERY_SECONDS - 1})
            INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)
            SELECT {first} + i, {instant}, 230.0, 1.2, 200 + (i * 7 + k) % 900, '' FROM q CROSS JOIN m"""
        )


def people() -> dict[str, Any]:
    """Logged-in clients: a resident, and the manager."""
    from django.test import Client

    from accounts.models import Building, Tenancy, User

    resident = User.objects.create_user("resident@example.org", "correct horse 7")
    Tenancy.objects.get(apartment__number="1007").residents.add(resident)
    manager = User.objects.create_user("manager@example.org", "correct horse 7")
    Building.objects.get().managers.add(manager)
    clients = {"resident": Client(), "manager": Client()}
    for name, client in clients.items():
        client.force_login({"resident": resident, "manager": manager}[name])
    return clients


def p95(what: Callable[[], Any], times: int = TIMES) -> list[float]:
    """The times in ms; the first one is left out: it loads templates."""
    what()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def get(client: Any, path: str) -> Callable[[], Any]:
    """Asks for a page and reads all of it."""
    from asgiref.sync import async_to_sync

    async def whole(answer: Any) -> int:
        return sum([len(piece) async for piece in answer.streaming_content])

    def ask() -> int:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return async_to_sync(whole)(answer) if answer.streaming else len(answer.content)

    return ask


def measure(name: str) -> None:
    """A line for each limit."""
    from accounts.models import Building

    clients = people()
    today = Building.objects.get().today()
    building, year = Building.objects.get().pk, today.replace(year=today.year - 1)
    spans = {"today": _days_ago(today, 0), "two days": _days_ago(today, 1), "a week": _days_ago(today, 6),
             "a month": _months(today, 1), "two months": _months(today, 2), "a year": year}  # fmt: skip
    _line(f"resident's dashboard on {name}, p95", p95(get(clients["resident"], "/")), 50)
    for words, since in spans.items():
        dates = f"since={since}&until={today}"
        _line(f"history of {words}, p95", p95(get(clients["resident"], f"/history?{dates}")), 50)
        _line(f"curve of {words}, p95", p95(get(clients["resident"], f"/api/curve?{dates}")), 50)
    energy = f"/admin/accounts/building/{building}/energy/"
    _line("manager's month, p95", p95(get(clients["manager"], f"{energy}?year={today.year}&month={today.month}")), 200)
    _line("manager's year, p95", p95(get(clients["manager"], f"{energy}?year={today.year}"), RARE_TIMES), 300)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    export = f"/export?what=quarter-hours&format=csv&since={year}&until={today}"
    _line("a year's quarter hours as CSV, p95", p95(get(clients["resident"], export), RARE_TIMES), 1000)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    row("memory that grew by it", [grown], "MiB")
    _line("housekeep derives a minute's readings of 400", [_derive_a_minute() for _ in range(RARE_TIMES)], 1000)


def _days_ago(today: Any, days: int) -> Any:
    return today.fromordinal(today.toordinal() - days)


def _months(today: Any, months: int) -> Any:
    from metering.erasure import months_before

    return months_before(today, months)


def _line(what: str, times: list[float], limit: float) -> None:
    worst = times[int(len(times) * 0.95)] if len(times) >= 20 else max(times)
    row(what, [worst], "ms", worst / limit, f"of {limit:.0f} ms")


def _derive_a_minute() -> float:
    """Six new readings of every meter; in ms."""
    from django.utils import timezone

    from metering.loads import derive_new
    from metering.models import Meter, Reading

    now = timezone.now()
    rows = []
    for meter in Meter.objects.all():
        taken = (now - dt.timedelta(seconds=EVERY_SECONDS * n, microseconds=meter.pk) for n in range(6))
        rows += [Reading(meter=meter, taken_at=instant, voltage=230, current=1, power=230) for instant in taken]
    Reading.objects.bulk_create(rows)
    began = time.perf_counter()
    sum(derive_new())
    return (time.perf_counter() - began) * 1000


def sizes() -> None:
    """Bytes on disk of what stays."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table, per in (("metering_load", 365), ("metering_daytotal", 365), ("metering_reading", READING_DAYS)):
            if connection.vendor == "postgresql":
                cursor.execute(f"SELECT pg_total_relation_size('{table}')")
            else:
                indexes = f"SELECT name FROM sqlite_master WHERE tbl_name = '{table}'"
                cursor.execute(f"SELECT SUM(pgsize) FROM dbstat WHERE name IN ({indexes})")
            size = cursor.fetchone()[0]
            words = "an apartment and year" if per == 365 else f"an apartment and {READING_DAYS} days"
            row(f"{table.partition('_')[2]}s: {words}", [size / stage.METERS / 1024**2], "MiB")


def run(name: str, url: str, folder: str) -> None:
    """All of it on one database."""
    os.environ["STATIC_ROOT"] = f"{folder}/static"
    section(f"A year of 400 apartments, a reading every {EVERY_SECONDS} s for {READING_DAYS} days, on {name}")
    stage.use(url, 1883)
    stage.make_house()
    call_command("collectstatic", verbosity=0, interactive=False, link=True)
    began = time.perf_counter()
    fill()
    row("filled in", [time.perf_counter() - began], "s")
    measure(name)
    sizes()


def main() -> None:
    """On the databases that are named, else on both."""
    wanted = sys.argv[1:] or ["sqlite", "postgresql"]
    if len(wanted) > 1:
        # Django reads its settings once: a process for each.
        for name in wanted:
            os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-m", "benchmarks.years", name])
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        if wanted == ["sqlite"]:
            run("sqlite", f"sqlite:///{Path(folder) / 'bench.sqlite3'}", folder)
            return
        with Cluster() as cluster:
            cluster.create_database("bench")
            run("postgresql", cluster.url("bench"), folder)


if __name__ == "__main__":
    main()
