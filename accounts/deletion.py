"""Deleting one's own account, and what that means for others."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.models import Building, Tenancy, User
from accounts.trace import forget_person


class LastSuperuser(Exception):
    """Nobody would be left who may do everything."""


def is_last_superuser(user: User) -> bool:
    """Whether nobody else could name managers and make accounts any more."""
    return user.is_superuser and leaves_no_superuser([user.pk])


def leaves_no_superuser(gone: list[int]) -> bool:
    """Whether no superuser would be left without these accounts."""
    return not _active_superusers().exclude(pk__in=gone).exists()


def buildings_left_alone(user: User) -> QuerySet[Building]:
    """The buildings that nobody but a superuser would manage without this user."""
    managers = Building.objects.alias(number=Count("managers")).filter(number=1).values("pk")
    return user.managed_buildings.filter(pk__in=managers)


def households_of(user: User) -> QuerySet[Tenancy]:
    """The user's tenancies, past ones included, each with `shared`: whether it has other residents."""
    others = User.objects.filter(tenancies=OuterRef("pk")).exclude(pk=user.pk)
    return Tenancy.objects.of(user).annotate(shared=Exists(others))


def how_long_kept() -> dict[str, int]:
    """For pages to tell: days that readings are kept; months after moving out for readings, and for the tenancy."""
    return {
        "days": settings.READING_RETENTION_DAYS,
        "readings_months": settings.ERASE_READINGS_AFTER_MONTHS,
        "billing_months": settings.ERASE_BILLING_AFTER_MONTHS,
    }


def sessions_of(user: User) -> list[Session]:
    """Where this user is logged in. The table does not say whose a session is, so each one is opened."""
    lasting = Session.objects.filter(expire_date__gt=timezone.now()).iterator(chunk_size=500)
    return [session for session in lasting if session.get_decoded().get(SESSION_KEY) == str(user.pk)]


def delete_account(user: User, forget: Callable[[User], object] = lambda _: None) -> None:
    """Delete the user with everything that is theirs. Their tenancies stay, without them.

    `forget` is called first, in the same transaction. Raises LastSuperuser, with nothing deleted.
    """
    sessions = [session.pk for session in sessions_of(user)]
    with transaction.atomic():
        # The locks make two who delete their accounts at the same moment see each other.
        list(_active_superusers().select_for_update())
        list(Tenancy.objects.filter(residents=user).select_for_update(of=("self",)))
        if is_last_superuser(user):
            raise LastSuperuser
        forget(user)
        forget_person(user)
        Session.objects.filter(pk__in=sessions).delete()
        user.delete()


def _active_superusers() -> QuerySet[User]:
    return User.objects.filter(is_superuser=True, is_active=True)
