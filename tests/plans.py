"""How the database goes about the queries of a test: it may not read a large table from end to end."""

from typing import Any

from django.db import connection

TABLES = ("metering_reading", "metering_load", "metering_daytotal")
# As statements of ours call them.
ALIASES = ("r", "l")
# The newest row: SQLite begins at the end, and stops.
STOPS_AT_ONCE = 'SELECT "metering_reading"."id" AS "pk" FROM "metering_reading" ORDER BY 1 DESC LIMIT 1'


def scans(asked: Any) -> list[tuple[str, str]]:
    """Steps that read a large table from end to end, each with its query."""
    return [
        (step, query["sql"])
        for query in asked.captured_queries
        if query["sql"].lstrip().startswith(("SELECT", "WITH")) and query["sql"] != STOPS_AT_ONCE
        for step in plan(query["sql"])
        if is_scan(step)
    ]


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
    return words[0] == "SCAN" and words[1] in (*TABLES, *ALIASES) and "INDEX" not in words
