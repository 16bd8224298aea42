"""Records of a history in words: what changed, from what to what."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.admin.utils import display_for_field
from django.db import models
from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_lazy
from simple_history.utils import get_m2m_reverse_field_name

from accounts.models import User
from accounts.trace import FORGOTTEN

EMPTY = "–"
GONE = gettext_lazy("one that is not here any more")
COMMAND = gettext_lazy("a command on the server")
VERBS = {"+": gettext_lazy("Added"), "~": gettext_lazy("Changed"), "-": gettext_lazy("Deleted")}
AT_ONCE = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class Change:
    """One field. `old` is None where there is nothing to compare with; people who come and go stand in lists."""

    name: str
    old: str | None = None
    new: str = ""
    attribute: str = ""
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """One record, ready to be shown. `reason` says why, where the values do not."""

    row: Any
    at: dt.datetime
    verb: str
    who: str
    reason: str
    changes: list[Change]

    @property
    def is_deletion(self) -> bool:
        """Whether there is no row any more since."""
        return bool(self.row.history_type == "-")

    def follows(self, older: "Entry") -> bool:
        """Whether both were saved at once."""
        same = self.row.history_user_id == older.row.history_user_id and not older.reason
        return same and self.row.history_type == "~" and self.at - older.at < AT_ONCE


@dataclass(frozen=True)
class Reader:
    """For whom the words are: which accounts and rows may be named, and how values are said."""

    may_name: Callable[[set[int]], set[int]]
    unnamed: str
    name_rows: Callable[[Any, set[Any]], dict[Any, str]]
    say: Callable[[models.Field, Any], str]


def say_value(field: models.Field, value: Any) -> str:
    """A plain value, as the lists of Django admin show it."""
    if isinstance(field, models.BooleanField):
        return gettext("yes") if value else gettext("no")
    if isinstance(field, models.DecimalField) and value is not None:
        # 0.32 where six decimals are kept.
        return number_format(value.normalize())
    return str(display_for_field(value, field, EMPTY))


def together(entries: list[Entry]) -> list[Entry]:
    """Newest first, as they come. What an account saves at once is several records and makes one entry of them all."""
    merged: list[Entry] = []
    for entry in entries:
        newer = merged[-1] if merged else None
        if newer and newer.follows(entry):
            merged[-1] = replace(entry, changes=entry.changes + newer.changes)
        else:
            merged.append(entry)
    return merged


def addresses(ids: set[int]) -> dict[int, list[tuple[dt.datetime, str]]]:
    """The addresses of accounts, deleted ones included, each with the time from which it held."""
    found: dict[int, list[tuple[dt.datetime, str]]] = defaultdict(list)
    records = User.history.filter(id__in=ids).exclude(history_type="-").order_by("history_date", "history_id")
    for pk, at, email in records.values_list("id", "history_date", "email"):
        found[pk].append((at, email))
    return found


class Words:
    """Puts records of one model into words. The many-to-many fields that have a history all hold accounts."""

    def __init__(self, records: Sequence[Any], reader: Reader) -> None:
        self._records, self._reader = records, reader
        kind: Any = type(records[0]) if records else None
        self._fields = [column for column in kind.tracked_fields if not column.primary_key] if kind else []
        self._members = {m2m: self._load_members(m2m) for m2m in kind._history_m2m_fields} if kind else {}
        mentioned = self._mentioned()
        accounts = mentioned.pop(User, set()) | {r.history_user_id for r in records} - {None}
        self._nameable = reader.may_name(accounts)
        self._addresses = addresses(self._nameable)
        self._names = {model: reader.name_rows(model, pks) for model, pks in mentioned.items()}

    def entry(self, record: Any, before: Any = None) -> Entry:
        """The record, compared with the one before it."""
        changed = before is not None and record.history_type == "~"
        changes = self._changes(record, before) if changed else self._values(record)
        reason = gettext(record.history_change_reason) if record.history_change_reason else ""
        return Entry(record, record.history_date, str(VERBS[record.history_type]), self._who(record), reason, changes)

    def _changes(self, record: Any, before: Any) -> list[Change]:
        plain = [
            Change(field.verbose_name, self._value(before, field), self._value(record, field), field.name)
            for field in self._fields
            if getattr(before, field.attname) != getattr(record, field.attname)
        ]
        return plain + [
            Change(field.verbose_name, added=self._people(new - old, record), removed=self._people(old - new, before))
            for field, members in self._members.items()
            if (old := members[before.pk]) != (new := members[record.pk])
        ]

    def _values(self, record: Any) -> list[Change]:
        """Everything that is not empty."""
        plain = [Change(field.verbose_name, new=self._value(record, field)) for field in self._fields]
        people = [
            Change(field.verbose_name, new=", ".join(self._people(members[record.pk], record)))
            for field, members in self._members.items()
        ]
        return [change for change in plain + people if change.new not in {"", EMPTY}]

    def _who(self, record: Any) -> str:
        who = record.history_user_id
        return str(COMMAND) if who is None else self._person(who, record.history_date)

    def _value(self, record: Any, field: Any) -> str:
        value = getattr(record, field.attname)
        if value is None or not field.is_relation:
            return self._reader.say(field, value)
        if field.related_model is User:
            return self._person(value, record.history_date)
        return self._names[field.related_model].get(value, str(GONE))

    def _people(self, ids: set[int], record: Any) -> list[str]:
        return sorted(self._person(pk, record.history_date) for pk in ids)

    def _person(self, pk: int, at: dt.datetime) -> str:
        """The account's address at that time; a phrase where it is forgotten or not for this reader."""
        if pk not in self._nameable:
            return self._reader.unnamed
        known = self._addresses[pk]
        # Who registers is written down a moment after what they did in it.
        email = next((email for since, email in reversed(known) if since <= at), known[0][1] if known else "")
        return email or str(FORGOTTEN)

    def _load_members(self, field: Any) -> dict[Any, set[Any]]:
        """The related rows of each record, in one query."""
        members: dict[Any, set[Any]] = defaultdict(set)
        rows = getattr(type(self._records[0]), field.name).filter(history__in=[record.pk for record in self._records])
        for record, related in rows.values_list("history_id", f"{get_m2m_reverse_field_name(field)}_id"):
            members[record].add(related)
        return members

    def _mentioned(self) -> dict[Any, set[Any]]:
        """The rows that the records speak of, by their model."""
        found: dict[Any, set[Any]] = defaultdict(set)
        for column in self._fields:
            if column.is_relation:
                found[column.related_model] |= {getattr(record, column.attname) for record in self._records} - {None}
        for members in self._members.values():
            found[User] |= {pk for row in members.values() for pk in row}
        return found
