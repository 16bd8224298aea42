"""Who looked at a household's data, and forgetting a person who is gone."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from accounts.models import AccessRecord, Building, Invitation, JoinRequest, Tenancy, User

FORGOTTEN = "an account that was deleted"


def record_access(viewer: User, seen: Collection[tuple[int | None, dt.datetime]], what: AccessRecord.What) -> None:
    """Write down that the viewer is about to see these: pairs of an apartment's id (None: nobody's) and an instant.

    Call it before anything is shown, and show nothing where it raises. The viewer's own tenancies and
    times in which nobody lived there leave no record.
    """
    apartments = {apartment for apartment, _ in seen} - {None}
    households = Tenancy.objects.filter(apartment__in=apartments).exclude(residents=viewer)
    found = [
        tenancy
        for tenancy in households.select_related("apartment__building")
        if any(tenancy.apartment_id == apartment and tenancy.covers(instant) for apartment, instant in seen)
    ]
    now = timezone.now()
    role = AccessRecord.Role.ADMINISTRATOR if viewer.is_superuser else AccessRecord.Role.MANAGER
    hour = now.replace(minute=0, second=0, microsecond=0)
    AccessRecord.objects.bulk_create(
        [
            AccessRecord(tenancy=tenancy, viewer=viewer, role=role, what=what, hour=hour, first_at=now, last_at=now)
            for tenancy in found
        ],
        update_conflicts=True,
        unique_fields=["tenancy", "viewer", "what", "hour"],
        update_fields=["last_at"],
    )


def forget_person(user: User) -> None:
    """Take a person's addresses, past ones included, out of the history and out of the log of Django admin.

    For the transaction that deletes the account, before it does so. The history keeps who did what under
    the number of an account that nobody knows any more.
    """
    records = User.history.filter(id=user.pk)
    addresses = {user.email, *records.values_list("email", flat=True)} - {""}
    records.update(email="")
    log = LogEntry.objects.filter(content_type__app_label="accounts")
    for address in addresses:
        # What User and JoinRequest are called; a part of another one's address is not this person's.
        named = Q(object_repr__iexact=address) | Q(object_repr__istartswith=f"{address} for ")
        log.filter(named).update(object_repr=FORGOTTEN)


def forget_tenancy(tenancy: Tenancy) -> None:
    """Take a tenancy that is being erased out of the history: who lived there, and who was invited.

    For the transaction that deletes it, afterwards: deleting leaves a record, too.
    """
    Invitation.history.filter(tenancy_id=tenancy.pk).delete()
    records = Tenancy.history.filter(id=tenancy.pk)
    # Not deleted with them by the library.
    Tenancy.history.model.residents.filter(history__in=records).delete()
    records.delete()


def when_they_came(user: int, buildings: QuerySet[Building]) -> dt.datetime | None:
    """When an account first had to do with one of these buildings; None where it never had."""
    asked = JoinRequest.objects.filter(user=user, apartment__building__in=buildings).aggregate(at=Min("created_at"))
    households = Tenancy.history.model.residents.filter(user=user, history__apartment__building__in=buildings)
    lived = households.aggregate(at=Min("history__history_date"))
    return min((found["at"] for found in (asked, lived) if found["at"]), default=None)


def held_since(instant: dt.datetime | None, records: list[Any]) -> list[Any]:
    """Of one row's records, newest first, those whose state held at that instant or after it; else the newest."""
    ends = [None, *(record.history_date for record in records)]
    return [r for r, end in zip(records, ends, strict=False) if end is None or (instant and end > instant)]
