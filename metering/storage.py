"""How much room the database takes."""

from dataclasses import dataclass
from pathlib import Path

from django.db import connection


@dataclass(frozen=True)
class Storage:
    """Sizes in bytes. `wal` is SQLite's write-ahead log beside the file; None on PostgreSQL, which keeps its own."""

    database: int
    wal: int | None


def measure_storage() -> Storage:
    """The size of the database now. Raises DatabaseError or OSError where it cannot be asked."""
    if connection.vendor == "sqlite":
        return _measure_sqlite()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return Storage(cursor.fetchone()[0], None)


def _measure_sqlite() -> Storage:
    with connection.cursor() as cursor:
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        page_size = cursor.execute("PRAGMA page_size").fetchone()[0]
        file = cursor.execute("PRAGMA database_list").fetchone()[2]
    wal = Path(f"{file}-wal")
    return Storage(pages * page_size, wal.stat().st_size if file and wal.exists() else 0)
