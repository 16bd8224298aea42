"""The database: writable, its tables, its log, its disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from metering.doctor.finding import Finding
from metering.storage import measure_storage

MIB = 1024**2
FREE_BYTES = 1024 * MIB
WAL_BYTES = 512 * MIB


def check_database() -> Finding:
    """Whether it can be written to: makes a table and takes it back."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE riser_doctor (number integer)")
            transaction.set_rollback(True)
    except DatabaseError as error:
        return Finding("database", str(error).strip(), "Check DATABASE_URL, and that this user may write there.")
    return Finding("database", f"{connection.vendor} answers and can be written to")


def check_migrations() -> Finding:
    """Whether the tables are those of this version."""
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Finding("migrations", f"{len(pending)} pending", "Run manage.py migrate." if pending else "")


def check_sqlite() -> Iterator[Finding]:
    """Journal mode, size of the write-ahead log, and free space of the disk the file is on."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    remedy = "" if mode == "wal" else "Put the file on a local disk: WAL does not work on network shares."
    yield Finding("journal mode", mode, remedy)
    yield check_wal(measure_storage().wal or 0)
    free = shutil.disk_usage(Path(settings.DATABASES["default"]["NAME"]).parent).free
    yield Finding("free disk", f"{free / 1024**3:.1f} GiB", "" if free > FREE_BYTES else "Make room: less than 1 GiB.")


def check_wal(size: int) -> Finding:
    """Whether somebody keeps the write-ahead log from being used again from its start.

    The file never shrinks while Riser runs, so a large one may be of the past: what counts is what
    cannot be written back now.
    """
    state = f"{size / MIB:.0f} MiB"
    if size <= WAL_BYTES:
        return Finding("write-ahead log", state)
    with connection.cursor() as cursor:
        _, in_log, written_back = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        waiting = (in_log - written_back) * cursor.execute("PRAGMA page_size").fetchone()[0]
    if waiting <= WAL_BYTES:
        return Finding("write-ahead log", f"{state}, of which {waiting / MIB:.0f} in use; shrinks when Riser restarts")
    name = settings.DATABASES["default"]["NAME"]
    return Finding(
        "write-ahead log",
        f"{state}, of which {waiting / MIB:.0f} cannot be written back: somebody has been reading for a long time",
        f"See who has the file open (fuser -v {name}): end a sqlite3 shell or a backup that hangs, "
        "else restart riser-web.",
    )
