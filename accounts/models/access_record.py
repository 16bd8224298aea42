"""Who looked at a household's readings."""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Least
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

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
        MANAGER = "manager", _("building manager")
        ADMINISTRATOR = "administrator", _("administrator of this site")

    class What(models.TextChoices):
        LIST = "list", _("a list of readings")
        READING = "reading", _("one reading in detail")
        REJECTED = "rejected", _("messages of the meter that were refused")
        ENERGY = "energy", _("energy and cost by month")
        NOW = "now", _("the power of the moment")

    tenancy = models.ForeignKey(
        Tenancy, on_delete=models.CASCADE, related_name="access_records", verbose_name=_("tenancy")
    )
    viewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("viewer"),
        help_text=_("Who looked."),
    )
    role = models.CharField(_("role"), max_length=13, choices=Role)
    what = models.CharField(_("what"), max_length=8, choices=What)
    hour = models.DateTimeField(_("hour"), help_text=_("The full hour, UTC, that the looks fall into."))
    first_at = models.DateTimeField(_("first look"))
    last_at = models.DateTimeField(_("last look in that hour"))

    objects = AccessRecordQuerySet.as_manager()

    class Meta:
        ordering = ["-last_at", "-pk"]
        verbose_name = _("access record")
        verbose_name_plural = _("access records")
        constraints = [
            models.UniqueConstraint(fields=["tenancy", "viewer", "what", "hour"], name="access_record_once_an_hour")
        ]

    def __str__(self) -> str:
        who = self.viewer or gettext("an account that was deleted")
        words = {"who": who, "what": self.get_what_display(), "tenancy": self.tenancy}
        return gettext("%(who)s saw %(what)s of %(tenancy)s") % words
