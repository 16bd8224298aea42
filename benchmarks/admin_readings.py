"""How long the manager's list of readings takes on a table of five million rows, against its limit.

Makes a database of its own in a temporary folder, 400 meters in two buildings, and asks for the list
as a superuser, as the manager of one building, narrowed down to one meter, and to saved readings. A
ratio below 1 is good.
"""

import os
import statistics
import tempfile
import time

from benchmarks import stage
from benchmarks.table import row, section

ROWS = 5_000_000
METERS = 400
LIMIT_MS = 300.0
ROUNDS = 5


def prepare(folder: str) -> None:
    """Point Django at an empty database and fill it."""
    os.environ["STATIC_ROOT"] = f"{folder}/static"
    stage.use(f"sqlite:///{folder}/bench.sqlite3", mqtt_port=1)
    stage.setup_django()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("createcachetable")
    call_command("collectstatic", verbosity=0, interactive=False, link=True)
    make_house()


def make_house() -> None:
    """Two buildings with 200 apartments each, and their readings in the order of receipt."""
    from django.db import connection

    from accounts.models import Apartment, Building, User
    from metering.models import Meter

    User.objects.create_superuser("root@example.org", "x")
    manager = User.objects.create_user("manager@example.org", "x")
    buildings = [Building.objects.create(slug=f"house{number}", name=f"House {number}") for number in range(2)]
    buildings[0].managers.add(manager)
    apartments = [Apartment(building=buildings[n % 2], number=str(1000 + n), floor="1") for n in range(METERS)]
    Meter.objects.ensure_native(Apartment.objects.bulk_create(apartments))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS - 1})
            INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note, saved_at)
            SELECT 1 + i % {METERS}, 1790000000000000 + i * 25000, 230.0, 2.0, 460.0, '',
                   CASE WHEN i % 100000 = 7 THEN 1790000000000000 + i * 25000 END
            FROM n
            """
        )


def measure(email: str, path: str) -> list[float]:
    """How long some requests took, in milliseconds."""
    from django.test import Client

    from accounts.models import User

    client = Client()
    client.force_login(User.objects.get(email=email))
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        response = client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, response.status_code
    return times


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        base = "/admin/metering/reading/"
        cases = {
            "superuser, newest": ("root@example.org", base),
            "manager, newest": ("manager@example.org", base),
            "manager, page 150": ("manager@example.org", f"{base}?p=150"),
            "manager, one meter": ("manager@example.org", f"{base}?meter=1"),
            "manager, saved": ("manager@example.org", f"{base}?saved=yes"),
        }
        section(f"List of readings in admin, {ROWS:,} readings")
        for name, (email, path) in cases.items():
            times = measure(email, path)
            row(name, times, "ms", statistics.median(times) / LIMIT_MS, f"of {LIMIT_MS:.0f} ms")


if __name__ == "__main__":
    main()
