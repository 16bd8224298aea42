"""Going back to a copy, without losing what is there now."""

import datetime as dt
from pathlib import Path

from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from metering.backup.copies import Copy, back_up, engine
from metering.backup.errors import BackupError
from metering.models import ListenerState

# What a copy remembers and the world has forgotten. The broker has given the packet ids of the journal to other
# messages since: a reading could be taken for one that was stored. And whoever has logged out since must stay out.
FORGET = [
    "DELETE FROM metering_journalpage",
    "DELETE FROM django_session",
    "UPDATE metering_listenerstate SET stopped_at = heartbeat_at, broker_connected = (1 = 0)",
]


def check_nobody_listens() -> None:
    """Raise BackupError where a listener is at work: what it stores now would vanish with the present database."""
    if not _has_tables():
        return
    # No other columns: the present tables may be those of another version.
    listeners = ListenerState.objects.only("name", "heartbeat_at", "stopped_at")
    if up := [listener.name for listener in listeners if listener.is_up]:
        raise BackupError(
            f"{', '.join(up)} is listening. Stop Riser first, and start it again afterwards:\n"
            "  systemctl stop riser-web riser-listener riser-housekeep.timer riser-housekeep.service"
        )


def keep_present(folder: Path, now: dt.datetime) -> Copy | None:
    """Copy the present database into the folder; None where there is none yet."""
    if not _has_tables():
        return None
    return back_up(folder / f"riser-before-restore-{now:%Y-%m-%d-%H%M%S-%f}{engine().SUFFIX}", now)


def examine(path: Path) -> str:
    """What is in a copy, in words. Raises BackupError where it is not whole, or not for this Riser."""
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    contents: str = engine().check(path)
    unknown = engine().migrations_in(path) - set(MigrationLoader(None).disk_migrations)
    if unknown:
        app, name = min(unknown)
        raise BackupError(f"{path} was made by a newer Riser (migration {app} {name}). Install that version first.")
    return contents


def restore(path: Path) -> None:
    """Put a copy that was examined in the database's place, wholly or not at all, and bring it up to date."""
    engine().replace_with(path, FORGET)
    connection.close()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)


def _has_tables() -> bool:
    try:
        return ListenerState._meta.db_table in connection.introspection.table_names()
    except DatabaseError as error:
        raise BackupError(
            f"The present database cannot be read ({error}). Move its files away, then restore again."
        ) from error
