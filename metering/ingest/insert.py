"""Many readings into the database with one statement.

`bulk_create` makes a model of each row and compiles the rows' SQL anew for each batch, which is several times
the work of inserting them. Here the table, its columns and what a column holds are still the model's, and
connection and transaction Django's; only the rows are plain tuples.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction

from metering.models import Reading
from metering.models.instant import MICROSECOND


class NewReading(NamedTuple):
    """What a meter fills of a reading, under the model's names and in its units."""

    meter_id: int
    taken_at: dt.datetime
    voltage: float
    current: float
    power: float
    power_factor: float | None
    energy_total: float | None
    received_at: dt.datetime | None
    note: str = ""


FIELDS: list[Any] = [Reading._meta.get_field(name.removesuffix("_id")) for name in NewReading._fields]
Run = tuple[dt.datetime, dt.datetime]
"""Instants that are taken, without a gap: from the first one up to but excluding the second."""
INSTANT: Any = Reading._meta.get_field("taken_at")


def insert_new(rows: Sequence[NewReading]) -> int:
    """Insert those whose (meter, taken_at) is not in the table yet; return how many those were."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # An array for each column: one statement to plan, whatever the number of rows.
            arrays = ", ".join(f"%s::{field.db_type(connection).partition('(')[0]}[]" for field in FIELDS)
            cursor.execute(
                _statement("SELECT * FROM unnest", arrays), [list(column) for column in zip(*rows, strict=True)]
            )
        else:
            cursor.executemany(
                _statement("VALUES", ", ".join(["%s"] * len(FIELDS))), [_parameters(row) for row in rows]
            )
        return int(cursor.rowcount)


def insert_every(rows: Sequence[NewReading]) -> None:
    """Insert readings without a time of their own: none of them is a repetition, whatever the clock says."""
    while not _insert_all(rows):
        # Again and again, because another listener may take an instant that was free a moment ago.
        rows = list(_apart(rows))


def _insert_all(rows: Sequence[NewReading]) -> bool:
    """Insert all of them; none, and False, where an instant is taken."""
    with transaction.atomic():
        if insert_new(rows) == len(rows):
            return True
        transaction.set_rollback(True)
    return False


def _apart(rows: Sequence[NewReading]) -> Iterator[NewReading]:
    """The same rows, those received at an instant that is taken moved on to the next free one.

    That happens where the clock was set back, or where a meter says of many readings that they were taken
    now: a receipt is else later than all before it.
    """
    runs: dict[int, list[Run]] = defaultdict(list)
    for row in rows:
        instant = _next_free(row.meter_id, row.taken_at, runs[row.meter_id])
        yield row._replace(taken_at=instant)


def _next_free(meter_id: int, instant: dt.datetime, runs: list[Run]) -> dt.datetime:
    """The first instant from that one on that neither the table nor one of the runs holds; it joins the runs."""
    begin = instant
    while True:
        # Whoever meets a run again need not walk along it.
        free = next((end for start, end in runs if start <= instant < end), None) or _free_from(meter_id, instant)
        if free == instant:
            runs.append((begin, instant + MICROSECOND))
            return instant
        instant = free


def _free_from(meter_id: int, instant: dt.datetime) -> dt.datetime:
    """The first instant from that one on without a row in the table: one walk along the index, however long the run."""
    taken = Reading.objects.filter(meter=meter_id, taken_at__gte=instant).order_by("taken_at")
    for other in taken.values_list("taken_at", flat=True).iterator():
        if other != instant:
            break
        instant += MICROSECOND
    return instant


def _statement(source: str, marks: str) -> str:
    """The insertion of some rows. Any violation but a repetition is an error, unlike with INSERT OR IGNORE."""
    quote = connection.ops.quote_name
    table, columns = quote(Reading._meta.db_table), ", ".join(quote(field.column) for field in FIELDS)
    return f"INSERT INTO {table} ({columns}) {source} ({marks}) ON CONFLICT (meter_id, taken_at) DO NOTHING"


def _parameters(row: NewReading) -> tuple[Any, ...]:
    meter_id, taken_at, voltage, current, power, power_factor, energy_total, received_at, note = row
    if received_at is not None:
        received_at = INSTANT.get_db_prep_save(received_at, connection)
    taken_at = INSTANT.get_db_prep_save(taken_at, connection)
    return meter_id, taken_at, voltage, current, power, power_factor, energy_total, received_at, note
