"""Who looked at a household's data, and forgetting a person who is gone."""

import datetime as dt
from collections.abc import Collection, Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AccessRecord, Apartment, Building, Invitation, JoinRequest, Tenancy, User
from accounts.models.history import past_states
from accounts.models.membership import memberships

FORGOTTEN = _("an account that was deleted")


AT_ONCE = dt.timedelta()


def record_access(
    viewer: User,
    seen: Collection[tuple[int | None, dt.datetime]],
    what: AccessRecord.What,
    *,
    anew_after: dt.timedelta = AT_ONCE,
) -> None:
    """Write down that the viewer is about to see these: pairs of an apartment's id (None: nobody's) and an instant.

    Call it before anything is shown, and show nothing where it raises. The viewer's own tenancies and
    times in which nobody lived there leave no record. A page that asks again by itself says after how long
    a record of the same hour is told of a later look: else it would write all of them every few seconds.
    """
    _record(viewer, _households(seen), what, anew_after)


def record_access_to_days(
    viewer: User, building: Building, first: dt.date, last: dt.date, what: AccessRecord.What
) -> None:
    """The same, where the viewer is about to see all of a building's local days from the first up to the last one.

    The last one is not among them.
    """
    homes = Tenancy.objects.filter(apartment__building=building)
    found = set(homes.filter(moved_in__lt=last).exclude(moved_out__lte=first).values_list("pk", flat=True))
    once = Tenancy.history.filter(apartment__building=building).exclude(id__in=found).values("id")
    begin = building.midnight(first)
    for tenancy, until in _past_states(once):
        # That state held while time of these days was its own.
        if tenancy.moved_in < last and (tenancy.moved_out is None or tenancy.moved_out > first):
            tenancy.apartment.building = building
            if max(begin, tenancy.since) < until:
                found.add(tenancy.pk)
    _record(viewer, found, what)


def _record(viewer: User, found: set[int], what: AccessRecord.What, anew_after: dt.timedelta = AT_ONCE) -> None:
    own = set(Tenancy.objects.filter(pk__in=found, residents=viewer).values_list("pk", flat=True))
    now = timezone.now()
    role = AccessRecord.Role.ADMINISTRATOR if viewer.is_superuser else AccessRecord.Role.MANAGER
    hour = now.replace(minute=0, second=0, microsecond=0)
    # Who looks again changes rows; only the first look of an hour writes new ones, which takes longer.
    earlier = AccessRecord.objects.filter(tenancy__in=found - own, viewer=viewer, what=what, hour=hour)
    seen = dict(earlier.values_list("tenancy_id", "last_at"))
    if any(now - last_at >= anew_after for last_at in seen.values()):
        earlier.update(last_at=now)
    AccessRecord.objects.bulk_create(
        [
            AccessRecord(tenancy_id=pk, viewer=viewer, role=role, what=what, hour=hour, first_at=now, last_at=now)
            for pk in sorted(found - own - seen.keys())
        ],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["tenancy", "viewer", "what", "hour"],
        update_fields=["last_at"],
    )


def _households(seen: Collection[tuple[int | None, dt.datetime]]) -> set[int]:
    """The tenancies whose time this is or was, by their ids.

    What was measured while a tenancy lasted stays that household's business: its dates may have been
    changed since, and may be changed back after the look.
    """
    apartments = {pk for pk, _ in seen if pk is not None}
    spans: list[tuple[Tenancy, dt.datetime | None]]
    spans = [(tenancy, None) for tenancy in Tenancy.objects.filter(apartment__in=apartments)]
    spans += _past_states(Tenancy.history.filter(apartment__in=apartments).values("id"))
    homes = Apartment.objects.select_related("building").in_bulk(apartments)
    found = set()
    for tenancy, end in spans:
        if tenancy.apartment_id not in homes:
            continue
        tenancy.apartment = homes[tenancy.apartment_id]
        instants = (instant for apartment, instant in seen if apartment == tenancy.apartment_id)
        if any((end is None or instant < end) and tenancy.covers(instant) for instant in instants):
            found.add(tenancy.pk)
    return found


def _past_states(ids: QuerySet[Any]) -> Iterator[tuple[Any, dt.datetime]]:
    """What these tenancies were, each with the time until which they were that."""
    records = Tenancy.history.filter(id__in=ids).filter(id__in=Tenancy.objects.values("pk"))
    return ((record.instance, until) for record, until in past_states(records))


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
        # What User and JoinRequest are called, in any language; a part of another one's address is not this person's.
        named = Q(object_repr__iexact=address) | Q(object_repr__istartswith=f"{address} ")
        log.filter(named).update(object_repr=str(FORGOTTEN))


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


def belonged_since(user: User, instant: dt.datetime) -> bool:
    """Whether an account still belonged to a household or managed a building then or later."""
    if any(membership.until is None or membership.until >= instant for membership in memberships(user)):
        return True
    managing = set(Building.history.model.managers.filter(user=user).values_list("history_id", flat=True))
    states = past_states(Building.history.filter(id__in=Building.history.filter(pk__in=managing).values("id")))
    return any(record.pk in managing and until >= instant for record, until in states)
