"""What is wrong with an installation, and how to mend it."""

import datetime as dt
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.models import Building
from metering.models import ListenerState, Meter, Reading

FREE_BYTES = 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `remedy` is empty where it is well."""

    subject: str
    state: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Look at everything an installation needs. Stops where the database cannot be read."""
    database = check_database()
    yield database
    if database.remedy:
        return
    yield check_static_files()
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        check_sqlite, check_migrations, check_mail, check_broker, check_listeners, check_buildings,
    )  # fmt: skip
    for check in checks:
        yield from check()


def check_database() -> Finding:
    """Whether it can be written to."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE doctor (number integer)")
            cursor.execute("DROP TABLE doctor")
    except DatabaseError as error:
        return Finding("database", str(error), "Check DATABASE_URL, and that this user may write there.")
    return Finding("database", f"{connection.vendor} answers")


def check_static_files() -> Finding:
    """Whether the pages' style sheets and scripts were collected."""
    if settings.DEBUG:
        return Finding("static files", "served from the source")
    if (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        return Finding("static files", str(settings.STATIC_ROOT))
    return Finding("static files", f"none in {settings.STATIC_ROOT}", "Run manage.py collectstatic.")


def check_sqlite() -> Iterator[Finding]:
    """Journal mode and free space of the disk the file is on."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    remedy = "" if mode == "wal" else "Put the file on a local disk: WAL does not work on network shares."
    yield Finding("journal mode", mode, remedy)
    free = shutil.disk_usage(Path(settings.DATABASES["default"]["NAME"]).parent).free
    yield Finding("free disk", f"{free / 1024**3:.1f} GiB", "" if free > FREE_BYTES else "Make room: less than 1 GiB.")


def check_migrations() -> Iterator[Finding]:
    """Whether the tables are those of this version."""
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    yield Finding("migrations", f"{len(pending)} pending", "Run manage.py migrate." if pending else "")


def check_mail() -> Iterator[Finding]:
    """Whether password resets could be sent."""
    backend = settings.EMAIL_BACKEND.rpartition(".backends.")[2].partition(".")[0]
    place = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}" if backend == "smtp" else backend
    try:
        with get_connection():
            yield Finding("mail", f"{place} answers")
    except (OSError, SMTPException) as error:
        yield Finding("mail", f"{place}: {error}", "Correct EMAIL_URL: without mail nobody can reset a password.")


def check_broker() -> Iterator[Finding]:
    """Whether something listens where the broker should be."""
    place = f"{settings.MQTT_BROKER}:{settings.MQTT_PORT}"
    try:
        with socket.create_connection((settings.MQTT_BROKER, settings.MQTT_PORT), timeout=3) as plain:
            if settings.MQTT_TLS:
                context = ssl.create_default_context(cafile=settings.MQTT_CA_FILE or None)
                context.wrap_socket(plain, server_hostname=settings.MQTT_BROKER).close()
    except OSError as error:
        yield Finding("broker", f"{place}: {error}", "Start the broker, or correct MQTT_BROKER, MQTT_PORT, MQTT_TLS.")
    else:
        yield Finding("broker", f"{place} answers")


def check_listeners() -> Iterator[Finding]:
    """Whether somebody listens, and is heard."""
    listeners = list(ListenerState.objects.all())
    if not listeners:
        yield Finding("listener", "never ran", "Start manage.py mqtt_listen (systemctl start riser-listener).")
    for listener in listeners:
        if not listener.is_up:
            state, remedy = f"last seen {listener.heartbeat_at:%Y-%m-%d %H:%M} UTC", "Start it and look at its log."
        elif not listener.broker_connected:
            state, remedy = "runs, no connection to the broker", "Look at the listener's log and the broker's log."
        else:
            state, remedy = "runs, connected", ""
        yield Finding(f"listener {listener.name}", state, remedy)


def check_buildings() -> Iterator[Finding]:
    """Whether each building has apartments and fresh readings."""
    if not Building.objects.exists():
        yield Finding("buildings", "none", "Run manage.py import_apartments BUILDING FILE.csv.")
    for building in Building.objects.all():
        newest = max(filter(None, (_newest(meter) for meter in building.meters.all())), default=None)
        if newest is None:
            state, fresh = "no reading yet", False
        else:
            state = f"newest reading {newest:%Y-%m-%d %H:%M:%S} UTC"
            fresh = timezone.now() - newest < dt.timedelta(seconds=settings.MAX_GAP_SECONDS)
        remedy = (
            "" if fresh else "Do the meters publish to electricity/BUILDING/floor/APARTMENT? See Rejected messages."
        )
        yield Finding(f"building {building.slug}", state, remedy)


def _newest(meter: Meter) -> dt.datetime | None:
    return Reading.objects.filter(meter=meter).order_by("-taken_at").values_list("taken_at", flat=True).first()
