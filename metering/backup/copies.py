"""Making a copy: under another name first, checked, safely on disk, and only then under its own."""

import contextlib
import datetime as dt
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from django.db import DatabaseError, connection

from metering.backup import postgresql, sqlite
from metering.backup.errors import BackupError

__all__ = ["BackupError", "Copy", "back_up", "engine"]

STAMP = "%Y-%m-%d-%H%M%S"
ANY_STAMP = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-[0-9][0-9][0-9][0-9][0-9][0-9]"


@dataclass(frozen=True)
class Copy:
    """A finished copy, and what was found in it when it was checked."""

    path: Path
    size: int
    """bytes"""
    contents: str


def engine() -> ModuleType:
    """What makes and reads the copies of this database."""
    return postgresql if connection.vendor == "postgresql" else sqlite


def back_up(path: Path, now: dt.datetime, keep: int | None = None, force: bool = False) -> Copy:
    """Copy the database to `path`, or into the folder `path` under a dated name; the newest `keep` of these stay.

    Readings may be stored meanwhile. Raises BackupError with what to do; then nothing has changed.
    """
    if not path.is_dir():
        if keep is not None:
            raise BackupError(f"There is no folder {path}: how many copies to keep is for a folder of them.")
        return _copy_to(path, force)
    copy = _copy_to(path / f"riser-{now:{STAMP}}{engine().SUFFIX}", force)
    if keep is not None:
        # The one just made stays even where the clock went back.
        others = set(path.glob(f"riser-{ANY_STAMP}{engine().SUFFIX}")) - {copy.path}
        for old in sorted(others, reverse=True)[keep - 1 :]:
            old.unlink()
    return copy


def _copy_to(target: Path, force: bool) -> Copy:
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent}.")
    if connection.vendor == "sqlite" and target.resolve() == sqlite.place():
        raise BackupError(f"{target} is the database itself. Name another file.")
    if target.exists() and not force:
        raise BackupError(f"{target} is there already. Name another file, or say --force.")
    with _in_the_making(target) as part:
        engine().copy_to(part)
        contents = engine().check(part)
        _settle(part)
        part.replace(target)
        _settle(target.parent)
    return Copy(target, target.stat().st_size, contents)


@contextlib.contextmanager
def _in_the_making(target: Path) -> Iterator[Path]:
    """An empty file beside the target that only this user may read; it is gone at the end, unless it was renamed."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
    except (OSError, DatabaseError, sqlite3.Error) as error:
        raise BackupError(f"The copy {target} could not be made: {error}") from error
    finally:
        part.unlink(missing_ok=True)
        # SQLite leaves it where the disk filled up in the middle of a page.
        part.with_name(f"{part.name}-journal").unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
