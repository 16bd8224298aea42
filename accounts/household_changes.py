"""What was changed about somebody's household: for its people to see, whoever changed it.

Dates, people and apartment decide whose readings are whose. Who changes them and changes them back again
would otherwise have seen a household's time without a look being written down.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from django.db import models
from django.utils.formats import date_format

from accounts.history_words import Entry, Reader, Words, say_value, together
from accounts.models import Apartment, Tenancy, User
from accounts.models.membership import Membership, memberships
from accounts.trace import FORGOTTEN


@dataclass(frozen=True)
class HouseholdChange:
    """One entry, and the apartment it is about."""

    entry: Entry
    apartment: Apartment


def household_changes(user: User) -> list[HouseholdChange]:
    """Newest first: all that happened while the user belonged to a household, joining and leaving included."""
    found = [change for membership in memberships(user) for change in _changes_during(membership)]
    return sorted(found, key=lambda change: change.entry.at, reverse=True)


def _changes_during(membership: Membership) -> Iterator[HouseholdChange]:
    records = list(Tenancy.history.filter(id=membership.tenancy_id))
    apartments = Apartment.objects.select_related("building").in_bulk({record.apartment_id for record in records})
    for entry in _entries(records, apartments):
        if membership.saw(entry.at):
            yield HouseholdChange(entry, apartments[entry.row.apartment_id])
    tenancy = Tenancy.objects.filter(pk=membership.tenancy_id).first()
    for apartment in apartments.values():
        for entry in _entries(list(Apartment.history.filter(id=apartment.pk)), apartments):
            # After they moved out it is another household's home.
            if membership.saw(entry.at) and not (tenancy and tenancy.until and tenancy.until <= entry.at):
                changes = [replace(change, name=f"apartment {change.name}") for change in entry.changes]
                yield HouseholdChange(replace(entry, changes=changes), apartment)


def _entries(records: list[Any], apartments: dict[int, Apartment]) -> list[Entry]:
    """What changed, from one record of a row to the next; `records` are newest first."""
    reader = Reader(
        may_name=set,
        unnamed=FORGOTTEN,
        name_rows=lambda model, pks: {pk: f"{flat.number}, {flat.building.name}" for pk, flat in apartments.items()},
        say=_say,
    )
    words = Words(records, reader)
    return together([words.entry(record, before) for record, before in pairwise(records)])


def _say(field: models.Field, value: Any) -> str:
    return date_format(value, "j M Y") if isinstance(value, dt.date) else say_value(field, value)
