"""A database for each installation: a copy of one that is migrated, for migrating takes longer than most tests."""

import contextlib
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.postgres import SERVER, Server
from tests.waiting import wait_for

Rows = list[tuple[Any, ...]]


class Database(Protocol):
    """What an installation does with its database, past Riser's own code."""

    @property
    def url(self) -> str: ...

    def query(self, sql: str, *parameters: Any) -> Rows:
        """Rows as the database's own driver gives them; `?` stands for a parameter."""

    def execute(self, sql: str) -> None: ...

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Another writer holds the database; it can still be read."""

    def drop(self) -> None: ...


class Template(Protocol):
    """A database to copy, which nobody uses meanwhile."""

    @property
    def url(self) -> str: ...

    def copy(self, folder: Path) -> Database: ...

    def another(self, folder: Path) -> "Template":
        """A template with the same in it, to add to."""

    def drop(self) -> None: ...


class SqliteDatabase:
    """A file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def query(self, sql: str, *parameters: Any) -> Rows:
        with contextlib.closing(sqlite3.connect(self.file, timeout=10)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def execute(self, sql: str) -> None:
        with contextlib.closing(sqlite3.connect(self.file, timeout=10)) as connection, connection:
            connection.execute(sql)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def drop(self) -> None:
        """pytest removes its folder."""


class SqliteTemplate(SqliteDatabase):
    """A file to copy."""

    def copy(self, folder: Path) -> SqliteDatabase:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return SqliteDatabase(Path(shutil.copy(self.file, folder / "riser.sqlite3")))

    def another(self, folder: Path) -> "SqliteTemplate":
        return SqliteTemplate(self.copy(folder).file)


class PostgresDatabase:
    """A database on a server that others use as well."""

    def __init__(self, server: Server, template: str | None = None) -> None:
        self.server = server
        self.name = f"riser_{uuid.uuid4().hex}"
        self.url = server.url(self.name)
        server.create_database(self.name, template)

    def query(self, sql: str, *parameters: Any) -> Rows:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.replace("%", "%%").replace("?", "%s"), parameters).fetchall()

    def execute(self, sql: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        tables = self.query("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        lock = f"LOCK TABLE {', '.join(name for (name,) in tables)} IN EXCLUSIVE MODE NOWAIT"
        with psycopg.connect(self.url) as connection:
            # All or nothing: waiting for one table with a lock on another would be a deadlock with who writes.
            wait_for(lambda: _succeeds(connection, lock), "nobody holds a lock for a moment")
            yield
            connection.rollback()

    def drop(self) -> None:
        self.server.drop_database(self.name)


def _succeeds(connection: psycopg.Connection[Any], lock: str) -> bool:
    try:
        connection.execute(lock)
    except psycopg.errors.LockNotAvailable:
        connection.rollback()
        return False
    return True


class PostgresTemplate(PostgresDatabase):
    """A database to copy."""

    def copy(self, _: Path) -> PostgresDatabase:
        return PostgresDatabase(self.server, template=self.name)

    def another(self, _: Path) -> "PostgresTemplate":
        return PostgresTemplate(self.server, template=self.name)


def new_template(folder: Path) -> Template:
    """An empty one, on the database that these tests run on."""
    if server := os.environ.get(SERVER):
        return PostgresTemplate(Server(server))
    return SqliteTemplate(folder / "template.sqlite3")
