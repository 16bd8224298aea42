"""Buildings and their apartments."""

import datetime as dt
import zoneinfo
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.history import History
from accounts.text import refuse_hidden_in

if TYPE_CHECKING:
    from accounts.models.user import User

DEFAULT_BUILDING = "building"
NUMBER_TAKEN = _("This building has an apartment with this number already.")

# These names become levels of MQTT topics and logins at the broker, hence the narrow alphabet.
topic_level = RegexValidator(
    r"\A[A-Za-z0-9._-]{1,32}\Z",
    _("Only letters A to Z, digits, dot, underscore and hyphen are possible here, at most 32 together."),
)


def validate_timezone(name: str) -> None:
    """Raise ValidationError where there is no such IANA zone."""
    # Names such as "localtime" mean another zone on every machine.
    if name not in zoneinfo.available_timezones() or ("/" not in name and name != "UTC"):
        raise ValidationError(
            _("%(name)s is not a time zone. Use a name such as Europe/Berlin."), params={"name": name}
        )


class BuildingQuerySet(models.QuerySet["Building"]):
    """Buildings."""

    def managed_by(self, user: "User") -> Self:
        """The buildings this user manages: all of them for a superuser."""
        return self if user.is_superuser else self.filter(managers=user)


class Building(models.Model):
    """The outer tenant: its managers see it and no other."""

    slug = models.CharField(
        _("name in topics"),
        max_length=32,
        unique=True,
        validators=[topic_level],
        help_text=_("The BUILDING in the MQTT topics of its meters: electricity/BUILDING/floor/APARTMENT."),
    )
    name = models.CharField(_("name"), max_length=100)
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        default="UTC",
        validators=[validate_timezone],
        help_text=_("IANA name, such as Europe/Berlin. Days begin at its midnight."),
    )
    currency = models.CharField(
        _("currency"),
        max_length=3,
        default="EUR",
        validators=[RegexValidator(r"\A[A-Z]{3}\Z", _("Three capital letters, such as EUR."))],
    )
    managers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="managed_buildings", blank=True, verbose_name=_("managers")
    )
    is_demo = models.BooleanField(_("demo"), default=False, editable=False)

    objects = BuildingQuerySet.as_manager()
    history = History(m2m_fields=["managers"])

    class Meta:
        ordering = ["slug"]
        verbose_name = _("building")
        verbose_name_plural = _("buildings")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        refuse_hidden_in(self, "name")

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.timezone)

    def today(self) -> dt.date:
        """The local date now."""
        return timezone.now().astimezone(self.zone).date()

    def midnight(self, date: dt.date) -> dt.datetime:
        """The instant at which the local date begins."""
        return dt.datetime.combine(date, dt.time(), tzinfo=self.zone).astimezone(dt.UTC)


class Apartment(models.Model):
    """A flat with a meter of its own."""

    building = models.ForeignKey(
        Building, on_delete=models.PROTECT, related_name="apartments", verbose_name=_("building")
    )
    number = models.CharField(_("number"), max_length=32, validators=[topic_level])
    floor = models.CharField(_("floor"), max_length=32, validators=[topic_level])
    area = models.DecimalField(
        _("area"),
        max_digits=6,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_(
            "m², to compare households by. Where one apartment of the building lacks it, none is compared by it."
        ),
    )

    history = History()

    class Meta:
        ordering = ["building", "number"]
        verbose_name = _("apartment")
        verbose_name_plural = _("apartments")
        constraints = [
            models.UniqueConstraint(
                fields=["building", "number"],
                name="apartment_number_once",
                violation_error_message=NUMBER_TAKEN,
            )
        ]

    def __str__(self) -> str:
        return f"{self.building.slug}/{self.number}"

    def clean(self) -> None:
        super().clean()
        # The constraint is not asked where a form does not show the building.
        others = Apartment.objects.filter(building=self.building_id, number=self.number).exclude(pk=self.pk)
        if others.exists():
            raise ValidationError({"number": NUMBER_TAKEN})
