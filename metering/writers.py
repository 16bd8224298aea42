"""Who is storing readings at this moment: PostgreSQL hands out their numbers before they are committed."""

from django.db import connection

from metering.models import Reading

# Who writes holds this lock before a number is handed out, until the transaction ends.
_LOCKED = """
SELECT virtualtransaction FROM pg_locks WHERE relation = %s::regclass AND mode = 'RowExclusiveLock'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""


def writers() -> set[str]:
    """The transactions of others that write readings. None on SQLite, whose one writer's numbers go up."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_LOCKED, [Reading._meta.db_table])
        return {transaction for (transaction,) in cursor.fetchall()}
