"""A point in time, small on disk and cheap to group by."""

import datetime as dt
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


def to_microseconds(instant: dt.datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exact (no floating point)."""
    return (instant - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> dt.datetime:
    """The aware UTC instant of that many microseconds since 1970-01-01.

    One that a calendar cannot show, in whatever way it got there, is moved into the range: a single
    odd row must not stop the listener or a page.
    """
    return EPOCH + dt.timedelta(microseconds=min(max(microseconds, 0), to_microseconds(LATEST)))


class InstantField(models.DateTimeField):
    """An aware datetime, in UTC.

    SQLite has no type for time and Django stores 26 characters of text there, in the table and once
    more in each index. This field stores microseconds since 1970 in an 8-byte integer instead, and
    timestamptz on PostgreSQL.
    """

    default_validators = [MinValueValidator(EPOCH), MaxValueValidator(LATEST)]

    def get_internal_type(self) -> str:
        # A name of its own keeps Django's text converter for SQLite away.
        return "InstantField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "bigint" if connection.vendor == "sqlite" else "timestamp with time zone"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> dt.datetime | None:
        return from_microseconds(value) if isinstance(value, int) else value

    def get_prep_value(self, value: Any) -> Any:
        # An aware datetime needs none of the care that Django takes of strings and naive ones.
        return value if isinstance(value, dt.datetime) and value.tzinfo else super().get_prep_value(value)

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        # The common case at once: a listener saves thousands of instants a second.
        if isinstance(value, dt.datetime) and value.tzinfo:
            return self.get_db_prep_value(value, connection, prepared=True)
        return super().get_db_prep_save(value, connection)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        value = value if prepared else self.get_prep_value(value)
        if isinstance(value, dt.datetime) and connection.vendor == "sqlite":
            return to_microseconds(value)
        return value


class BucketStart(Func):
    """The start of the bucket of `seconds` an instant falls into; buckets begin at 1970-01-01 UTC."""

    output_field = InstantField()

    def __init__(self, instant: str, seconds: int) -> None:
        super().__init__(instant)
        self.seconds = seconds

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        width = self.seconds * 1_000_000
        return self.as_sql(
            compiler, connection, template=f"(%(expressions)s / {width} * {width})", arg_joiner=",", **context
        )

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"date_bin('{self.seconds} seconds', %(expressions)s, timestamptz '1970-01-01 00:00:00+00')"
        return self.as_sql(compiler, connection, template=template, **context)
