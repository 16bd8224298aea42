"""What was changed about somebody's household: for its people to see, whoever changed it.

Dates, people, apartment and time zone decide whose readings are whose. Who changes them and changes them back again
would otherwise have seen a household's time without a look being written down.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from django.db import models
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.history_words import Entry, Reader, Words, say_value, together
from accounts.models import Apartment, Building, Tenancy, User
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
    household = _Household(membership)
    for entry in household.entries(household.records, membership.includes):
        if entry.row.apartment_id in household.homes:
            yield HouseholdChange(entry, household.homes[entry.row.apartment_id])
    for apartment in household.homes.values():
        numbers = Apartment.history.filter(id=apartment.pk)
        for entry in household.entries(numbers, partial(household.lived_in_then, apartment.pk)):
            names = [_("apartment %(field)s") % {"field": change.name} for change in entry.changes]
            changes = [replace(change, name=name) for change, name in zip(entry.changes, names, strict=True)]
            yield HouseholdChange(replace(entry, changes=changes), apartment)
        # Days begin at its midnight.
        zones = Building.history.filter(id=apartment.building_id)
        for entry in household.entries(zones, partial(household.lived_in_then, apartment.pk)):
            if changes := [change for change in entry.changes if change.attribute == "timezone"]:
                yield HouseholdChange(replace(entry, changes=changes), apartment)


class _Household:
    """One household's records, as one of its people may know them."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self.records = list(Tenancy.history.filter(id=membership.tenancy_id))
        apartments = {record.apartment_id for record in self.records}
        # One that they were moved to and back from may be deleted by now.
        self.homes = Apartment.objects.select_related("building").in_bulk(apartments)

    def lived_in_then(self, apartment_id: int, change: Any) -> bool:
        """Whether it was their home at the time of a change, by what the records said then, and the person theirs."""
        instant = change.history_date
        then = next((record for record in self.records if record.history_date <= instant), None)
        if then is None or then.apartment_id != apartment_id or not self._membership.saw(instant):
            return False
        tenancy = then.instance
        tenancy.apartment = self.homes[apartment_id]
        return tenancy.until is None or instant < tenancy.until

    def entries(self, records: Iterable[Any], wanted: Callable[[Any], bool]) -> list[Entry]:
        """What changed in those of a row's records that are wanted; `records` are newest first."""
        newest_first = list(records)
        words = Words(newest_first, Reader(may_name=set, unnamed=str(FORGOTTEN), name_rows=self._name_rows, say=_say))
        # How a tenancy began is a change as well, how an apartment or a building did says nothing.
        last = [None] if newest_first and isinstance(newest_first[0], Tenancy.history.model) else []
        pairs = pairwise([*newest_first, *last])
        return together([words.entry(record, before) for record, before in pairs if wanted(record)])

    def _name_rows(self, model: Any, pks: set[Any]) -> dict[Any, str]:
        return {pk: f"{flat.number}, {flat.building.name}" for pk, flat in self.homes.items() if pk in pks}


def _say(field: models.Field, value: Any) -> str:
    return date_format(value, _("j M Y")) if isinstance(value, dt.date) else say_value(field, value)
