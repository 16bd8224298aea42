"""Copies of an SQLite database, and the way back.

SQLite's backup API copies page by page inside one read transaction: what is stored meanwhile goes to the
write-ahead log and nobody waits. (`VACUUM INTO` would make a smaller file, but it rebuilds every index and so
holds the log back for longer.)
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from metering.backup.errors import BackupError

SUFFIX = ".sqlite3"
MAGIC = b"SQLite format 3\0"
NEEDED = {"django_migrations", "metering_reading", "accounts_apartment"}


def copy_to(path: Path) -> None:
    """Copy the database into this file."""
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(path)) as copy:
        _live().backup(copy)
        # One file, without a log of its own beside it.
        copy.execute("PRAGMA journal_mode=DELETE")


def check(path: Path) -> str:
    """Look at each page of a copy; what is in it, in words. Raises BackupError where it is not whole."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupError(f"{path} is no copy of an SQLite database.")
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
        try:
            found = [text for (text,) in copy.execute("PRAGMA integrity_check")]
            tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.DatabaseError as error:
            raise BackupError(f"{path} is damaged: {error}") from error
        if found != ["ok"]:
            raise BackupError(f"{path} is damaged: {found[0]}")
        if missing := NEEDED - tables:
            raise BackupError(f"{path} is no copy of Riser's database: it has no table {min(missing)}.")
        (readings,) = copy.execute("SELECT count(*) FROM metering_reading").fetchone()
        return f"{readings:,} readings, integrity ok"


def migrations_in(path: Path) -> set[tuple[str, str]]:
    """App and name of each migration a copy has been through."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
        return set(copy.execute("SELECT app, name FROM django_migrations"))


def replace_with(path: Path, forget: list[str]) -> None:
    """Put the copy in the database's place, after these statements have run on it: all of it, or nothing."""
    prepared = place().with_name(".riser-restoring.sqlite3")
    prepared.unlink(missing_ok=True)
    try:
        # It holds everybody's readings and sessions.
        prepared.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(path)) as copy, contextlib.closing(sqlite3.connect(prepared)) as ready:
            copy.backup(ready)
            with ready:
                for statement in forget:
                    ready.execute(statement)
            # One transaction of the live database: whoever reads it sees the old one or the new one, and so does
            # whoever opens it after a power cut.
            connection.ensure_connection()
            ready.backup(_live(), progress=_give_up_when_busy)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"Nothing was restored: {error}. It needs room for three more databases.") from error
    finally:
        prepared.unlink(missing_ok=True)


def place() -> Path:
    """The database's file."""
    return Path(settings.DATABASES["default"]["NAME"]).resolve()


def _give_up_when_busy(status: int, _remaining: int, _total: int) -> None:
    """SQLite has waited for the connection's timeout then; Python would try again for ever."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise BackupError("Nothing was restored: another process keeps writing to the database. Stop Riser first.")


def _live() -> Any:
    return connection.connection
