"""Tables as CSV and as JSON, a piece at a time."""

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from accounts.text import inert
from metering.export.tables import Row, Table

PIECE_BYTES = 32 * 1024
AS_IT_IS = {int, float, type(None)}
"""Types that are written as they are: nearly all of the cells."""
CSV = "text/csv; charset=utf-8"
JSON = "application/json"


def as_csv(table: Table) -> Iterator[bytes]:
    """UTF-8, commas, a point before decimals; texts made inert, so that no spreadsheet takes one for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([value if type(value) in AS_IT_IS else _cell(value) for value in row])
        if text.tell() >= PIECE_BYTES:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    return inert(value) if isinstance(value, str) else _written(value)


def _written(value: Any) -> Any:
    """Times in ISO 8601 with their offset; money as text, for numbers of JSON or a spreadsheet are not exact."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value


def as_json(table: Table) -> Iterator[bytes]:
    """A list with an object for each row; keys are the columns' names with their units, such as energy_wh."""
    keys = [json_key(column) for column in table.columns]
    yield from _joined((json.dumps(_object(keys, row), ensure_ascii=False) for row in table.rows), "[", "]\n")


def json_key(column: str) -> str:
    """A column's name as a key: `energy (kWh)` is energy_kwh."""
    name = column.lower().replace("%", "percent")
    return re.sub(r"[^a-z0-9]+", "_", name).strip("_")


def _object(keys: list[str], row: Row) -> dict[str, Any]:
    return dict(zip(keys, map(_written, row), strict=True))


def _joined(texts: Iterable[str], begin: str, end: str) -> Iterator[bytes]:
    piece, comma = begin, "\n"
    for text in texts:
        piece += comma + text
        comma = ",\n"
        if len(piece) >= PIECE_BYTES:
            yield piece.encode()
            piece = ""
    yield f"{piece}\n{end}".encode()
