"""Who looked at a household's readings."""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Least

from accounts.models.membership import memberships
from accounts.models.tenancy import Tenancy

if TYPE_CHECKING:
    from accounts.models.user import User


class AccessRecordQuerySet(models.QuerySet["AccessRecord"]):
    """Access records."""

    def visible_to(self, user: "User") -> Self:
        """Those of the user's own tenancies, newest first.

        Past ones included, and those the user was taken out of: up to that moment. `known_until` is the last look
        of that hour that is theirs to know.
        """
        homes = Q(tenancy__in=Tenancy.objects.filter(residents=user))
        own, known_until = homes, [When(homes, then=F("last_at"))]
        for membership in memberships(user):
            if membership.until:
                before = Q(tenancy=membership.tenancy_id, first_at__lte=membership.until)
                own |= before
                known_until.append(When(before, then=Least(F("last_at"), Value(membership.until))))
        rows = self.filter(own).annotate(known_until=Case(*known_until, output_field=models.DateTimeField()))
        return rows.select_related("tenancy__apartment__building", "viewer")


class AccessRecord(models.Model):
    """A manager or superuser looked at readings of a tenancy; the looks of one hour are one record."""

    class Role(models.TextChoices):
        MANAGER = "manager", "building manager"
        ADMINISTRATOR = "administrator", "administrator of this site"

    class What(models.TextChoices):
        LIST = "list", "a list of readings"
        READING = "reading", "one reading in detail"
        REJECTED = "rejected", "messages of the meter that were refused"
        ENERGY = "energy", "energy and cost by month"
        NOW = "now", "the power of the moment"

    tenancy = models.ForeignKey(Tenancy, on_delete=models.CASCADE, related_name="access_records")
    viewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Who looked."
    )
    role = models.CharField(max_length=13, choices=Role)
    what = models.CharField(max_length=8, choices=What)
    hour = models.DateTimeField(help_text="The full hour, UTC, that the looks fall into.")
    first_at = models.DateTimeField("first look")
    last_at = models.DateTimeField("last look in that hour")

    objects = AccessRecordQuerySet.as_manager()

    class Meta:
        ordering = ["-last_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenancy", "viewer", "what", "hour"], name="access_record_once_an_hour")
        ]

    def __str__(self) -> str:
        return f"{self.viewer or 'an account that was deleted'} saw {self.get_what_display()} of {self.tenancy}"
