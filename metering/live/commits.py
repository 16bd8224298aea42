"""Notices that somebody committed, cheaply."""

from django.db import connection


class Commits:
    """Of one connection, in the thread that uses it, which itself writes nothing."""

    def __init__(self) -> None:
        self._version: int | None = None

    def happened(self) -> bool:
        """Whether something may have been committed since the last call; True at the first one.

        SQLite counts the commits of all others: asking takes some microseconds. PostgreSQL does not; there the
        question for new rows, a seek to the end of an index, is as cheap as any.
        """
        if connection.vendor != "sqlite":
            return True
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            before, self._version = self._version, cursor.fetchone()[0]
        return self._version != before
