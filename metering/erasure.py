"""What is kept about people goes: after a time, and when they delete their account."""

import calendar
import datetime as dt
from collections.abc import Callable, Iterator

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.access import Residence
from accounts.confirmation import unproven_addresses
from accounts.deletion import delete_account, households_of
from accounts.models import Apartment, Building, Invitation, JoinRequest, Tenancy, User
from accounts.trace import belonged_since, forget_tenancy
from metering.models import DayTotal, Load, Meter, Reading, RejectedMessage
from metering.models.instant import EPOCH, LATEST
from metering.models.load import quarter_of
from metering.models.reading import NOT_SAVED
from metering.month_totals import hold, sum_month
from metering.periods import By, next_begin
from metering.retention import Chunk

INVITATIONS_KEPT = dt.timedelta(days=365)
UNCONFIRMED_KEPT = dt.timedelta(days=30)


def months_before(date: dt.date, months: int) -> dt.date:
    """The same day so many calendar months earlier, or that month's last one."""
    year, month = divmod(date.year * 12 + date.month - 1 - months, 12)
    return dt.date(year, month + 1, min(date.day, calendar.monthrange(year, month + 1)[1]))


def erase_loads(chunk: Chunk) -> Iterator[int]:
    """Quarter hours of households that left ERASE_READINGS_AFTER_MONTHS ago, and of nobody's time as old as that."""
    for meter, spans in _time_to_forget(settings.ERASE_READINGS_AFTER_MONTHS):
        for since, until in spans:
            rows = Load.objects.filter(meter=meter, quarter__gte=quarter_of(since), quarter__lt=quarter_of(until))
            while quarters := list(rows.order_by("quarter").values_list("quarter", flat=True)[: chunk.size]):
                yield chunk.delete(rows.filter(quarter__lte=quarters[-1]))


def erase_day_totals(chunk: Chunk) -> Iterator[int]:
    """Days of households that left ERASE_BILLING_AFTER_MONTHS ago, and of nobody's time as old as that."""
    for meter, spans in _time_to_forget(settings.ERASE_BILLING_AFTER_MONTHS):
        zone = meter.building.zone
        for since, until in spans:
            first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
            days = DayTotal.objects.filter(meter=meter, date__gte=first, date__lt=last)
            for month in days.dates("date", "month"):
                with transaction.atomic():
                    hold([meter.pk])
                    deleted, _ = days.filter(date__gte=month, date__lt=next_begin(month, By.MONTH)).delete()
                    sum_month([meter.pk], month)
                yield deleted


def _time_to_forget(months: int) -> Iterator[tuple[Meter, list[tuple[dt.datetime, dt.datetime]]]]:
    """Apartments' meters, and what of their time is so many months old and of no household that stayed longer.

    As spans, so that looking for rows in them is a seek, however many years there are beside them.
    """
    for building in Building.objects.all():
        day = months_before(building.today(), months)
        staying = Tenancy.objects.filter(apartment__building=building).exclude(moved_out__lte=day)
        kept: dict[int, list[tuple[dt.datetime, dt.datetime]]] = {}
        for tenancy in staying.select_related("apartment__building"):
            kept.setdefault(tenancy.apartment_id, []).append((tenancy.since, tenancy.until or LATEST))
        for meter in Meter.objects.filter(building=building, apartment__isnull=False).select_related("building"):
            yield meter, list(_between(sorted(kept.get(meter.apartment_id or 0, [])), building.midnight(day)))


def _between(
    kept: list[tuple[dt.datetime, dt.datetime]], before: dt.datetime
) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """The time up to `before` in which none of these spans lies."""
    reached = EPOCH
    for since, until in kept:
        if reached < min(since, before):
            yield reached, min(since, before)
        reached = max(reached, until)
    if reached < before:
        yield reached, before


def erase_readings(chunk: Chunk) -> Iterator[int]:
    """Readings of households that left ERASE_READINGS_AFTER_MONTHS ago, whether saved, or the newest of their meter."""
    for residence in _left(settings.ERASE_READINGS_AFTER_MONTHS):
        for meter in Meter.objects.filter(apartment=residence.apartment):
            yield from chunk.delete_all(Reading.objects.of(residence).filter(meter=meter).order_by("taken_at"))


def erase_saved_readings_of_nobody(chunk: Chunk) -> Iterator[int]:
    """What was saved in the time of a tenancy that was deleted since, or whose days were changed: as old as that.

    Readings of nobody's time that are not saved follow the ordinary retention.
    """
    retained_since = timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS)
    saved = Reading.objects.saved().filter(taken_at__lt=retained_since)
    for apartment in Apartment.objects.filter(pk__in=saved.values("meter__apartment")).select_related("building"):
        building = apartment.building
        before = building.midnight(months_before(building.today(), settings.ERASE_READINGS_AFTER_MONTHS))
        rows = saved.filter(meter__apartment=apartment, taken_at__lt=before)
        for tenancy in apartment.tenancies.select_related("apartment__building"):
            rows = rows.exclude(taken_at__gte=tenancy.since, taken_at__lt=tenancy.until or LATEST)
        yield from chunk.delete_all(rows)


def erase_tenancies(chunk: Chunk) -> Iterator[int]:
    """What was kept of households for their bills, ERASE_BILLING_AFTER_MONTHS after they left."""
    for residence in _left(settings.ERASE_BILLING_AFTER_MONTHS):
        # A meter that sends late may have sent more meanwhile: without its tenancy it would be nobody's.
        if not Reading.objects.of(residence).exists() and not _touched_since(residence):
            with transaction.atomic():
                chunk.delete(Tenancy.objects.filter(pk=residence.tenancy.pk))
                forget_tenancy(residence.tenancy)
            yield 1


def _touched_since(residence: Residence) -> bool:
    """Whether somebody looked at the household's readings, or changed its dates, within the time it is kept for.

    Else a manager could take back a look by dating the tenancy long ago.
    """
    building = residence.building
    since = building.midnight(months_before(building.today(), settings.ERASE_BILLING_AFTER_MONTHS))
    tenancy = residence.tenancy
    changed = Tenancy.history.filter(id=tenancy.pk, history_date__gte=since, history_user_id__isnull=False)
    return bool(tenancy.access_records.filter(last_at__gte=since).exists() or changed.exists())


def erase_join_requests(chunk: Chunk) -> Iterator[int]:
    """Those decided ERASE_BILLING_AFTER_MONTHS ago: they tell who lived where as tenancies do."""
    for building in Building.objects.all():
        before = building.midnight(months_before(building.today(), settings.ERASE_BILLING_AFTER_MONTHS))
        yield from chunk.delete_all(JoinRequest.objects.filter(apartment__building=building, decided_at__lt=before))


def erase_invitations(chunk: Chunk) -> Iterator[int]:
    """Those that ran out a year ago."""
    yield from chunk.delete_all(Invitation.objects.filter(expires_at__lt=timezone.now() - INVITATIONS_KEPT))


def erase_accounts(chunk: Chunk) -> Iterator[int]:
    """Those whose address was never confirmed, and those that have belonged nowhere for ERASE_BILLING_AFTER_MONTHS."""
    now = timezone.now()
    registered = User.objects.filter(date_joined__lt=now - UNCONFIRMED_KEPT, last_login=None)
    strangers = registered.filter(pk__in=unproven_addresses().values("user"))
    # These belong to no building, so the day is UTC's.
    day = months_before(now.date(), settings.ERASE_BILLING_AFTER_MONTHS)
    before = dt.datetime.combine(day, dt.time(), dt.UTC)
    unseen = Q(last_login__lt=before) | Q(last_login=None)
    gone = User.objects.filter(unseen, date_joined__lt=before, join_requests__isnull=True)
    for people in (strangers, gone):
        nowhere = people.filter(tenancies__isnull=True, managed_buildings__isnull=True, is_superuser=False)
        for pk in set(nowhere.values_list("pk", flat=True)):
            # Asked again: deleting those before took its time, in which this one may have confirmed.
            user = nowhere.filter(pk=pk).first()
            if user and not belonged_since(user, before):
                delete_person(user)
                yield 1


def erase_rejected_messages(chunk: Chunk) -> Iterator[int]:
    """Those older than READING_RETENTION_DAYS: what was refused is somebody's data all the same."""
    before = timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS)
    yield from chunk.delete_all(RejectedMessage.objects.filter(received_at__lt=before).order_by("pk"))


def erase_sessions(chunk: Chunk) -> Iterator[int]:
    """Those that ran out."""
    yield from chunk.delete_all(Session.objects.filter(expire_date__lt=timezone.now()))


def erase_cache_rows(chunk: Chunk) -> Iterator[int]:
    """Those that ran out: some say from which address somebody tried to log in. Nothing else deletes them in time."""
    table = connection.ops.quote_name(str(settings.CACHES["default"]["LOCATION"]))
    now = connection.ops.adapt_datetimefield_value(timezone.now().replace(microsecond=0, tzinfo=None))
    old = f"SELECT cache_key FROM {table} WHERE expires < %s LIMIT %s"  # noqa: S608 - a name of ours
    deleted = chunk.size
    while deleted == chunk.size:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE cache_key IN ({old})", [now, chunk.size])  # noqa: S608
            deleted = cursor.rowcount
        yield deleted


ERASURES: dict[str, Callable[[Chunk], Iterator[int]]] = {
    "readings of households that left": erase_readings,
    "loads of households that left": erase_loads,
    "totals of days of households that left": erase_day_totals,
    "saved readings of nobody": erase_saved_readings_of_nobody,
    "tenancies that ended": erase_tenancies,
    "decided join requests": erase_join_requests,
    "invitations that ran out": erase_invitations,
    "accounts of nobody": erase_accounts,
    "rejected messages": erase_rejected_messages,
    "sessions that ran out": erase_sessions,
    "cache rows that ran out": erase_cache_rows,
}
"""What goes in time, in this order; the names are for the operator to read."""


def delete_person(user: User) -> None:
    """Delete an account, and the marks on readings that nobody could see any more.

    Raises LastSuperuser, with nothing deleted.
    """
    delete_account(user, forget_saved_readings)


def forget_saved_readings(user: User) -> None:
    """Readings saved in a household that this user is the last one of are saved no longer, their notes are gone.

    So are others that this user saved, unless they are in somebody else's time.
    """
    for tenancy in households_of(user):
        if not tenancy.shared:  # type: ignore[attr-defined]
            Reading.objects.of(Residence.of(tenancy)).saved().update(**NOT_SAVED)
    rest = Reading.objects.filter(saved_by=user)
    apartments = rest.values("meter__apartment")
    others = Tenancy.objects.filter(apartment__in=apartments, residents__in=User.objects.exclude(pk=user.pk))
    for tenancy in others.select_related("apartment__building").distinct():
        rest = rest.exclude(
            meter__apartment=tenancy.apartment_id, taken_at__gte=tenancy.since, taken_at__lt=tenancy.until or LATEST
        )
    rest.update(**NOT_SAVED)


def _left(months: int) -> Iterator[Residence]:
    """Households whose tenancy ended so many calendar months ago, by the date of their building."""
    for building in Building.objects.all():
        before = months_before(building.today(), months)
        ended = Tenancy.objects.filter(apartment__building=building, moved_out__lte=before)
        for tenancy in list(ended.select_related("apartment__building")):
            yield Residence.of(tenancy)
