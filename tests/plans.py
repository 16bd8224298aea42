"""How the database goes about the queries of a test: it may not read a large table from end to end."""

from typing import Any

from django.db import connection

TABLES = ("metering_reading", "metering_load", "metering_daytotal")
# As statements of ours call them.
ALIASES = ("r", "l")
# The newest row: SQLite begins at the end, and stops.
STOPS_AT_ONCE = 'SELECT "metering_reading"."id" AS "pk" FROM "metering_reading" ORDER BY 1 DESC LIMIT 1'


def scans(asked: Any) -> list[tuple[str, str]]:
    """Steps that read a large table, or an index of it, from end to end, each with its query."""
    return [(step, query) for query in _queries(asked) for step in plan(query) if is_scan(step)]


def sorts(asked: Any) -> list[str]:
    """Queries that put all the rows there are of a large table in order, to have the first of them."""
    large = [query for query in _queries(asked) if any(f'ORDER BY "{table}"' in query for table in TABLES)]
    return [query for query in large if any("FOR ORDER BY" in step or step.startswith("Sort") for step in plan(query))]


def _queries(asked: Any) -> list[str]:
    queries = [query["sql"] for query in asked.captured_queries]
    return [sql for sql in queries if sql.lstrip().startswith(("SELECT", "WITH")) and sql != STOPS_AT_ONCE]


def plan(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN {sql}")
            return [row[0].strip(" ->") for row in cursor.fetchall()]
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]


def is_scan(step: str) -> bool:
    words = step.split()
    if connection.vendor == "postgresql":
        return "Seq Scan on" in step and words[words.index("on") + 1] in TABLES
    return words[0] == "SCAN" and words[1] in (*TABLES, *ALIASES)
