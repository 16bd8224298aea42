"""Tenancies: who lives or lived where, from when until when."""

import datetime as dt
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.building import Apartment, Building
from accounts.models.history import History

if TYPE_CHECKING:
    from accounts.models.user import User

# Dates people live by; the calendar's own ends have no midnight in every time zone.
plausible_date = [MinValueValidator(dt.date(1970, 1, 2)), MaxValueValidator(dt.date(2999, 12, 31))]


class TenancyQuerySet(models.QuerySet["Tenancy"]):
    """Tenancies."""

    def of(self, user: "User") -> Self:
        """This user's own tenancies, past ones included, newest first."""
        return self.filter(residents=user).select_related("apartment__building").order_by("-moved_in", "-pk")

    def on(self, apartment: Apartment, date: dt.date) -> Self:
        """The tenancy of an apartment on a local date, if any."""
        return self.filter(apartment=apartment, moved_in__lte=date).filter(
            Q(moved_out__isnull=True) | Q(moved_out__gt=date)
        )

    def current(self) -> Self:
        """Tenancies that last today, each by the date of its own building."""
        dates = {pk: Building(timezone=name).today() for pk, name in Building.objects.values_list("pk", "timezone")}
        lasting = Q(pk__in=[])
        for date in set(dates.values()):
            buildings = [pk for pk, today in dates.items() if today == date]
            lasting |= Q(apartment__building__in=buildings, moved_in__lte=date) & (
                Q(moved_out__isnull=True) | Q(moved_out__gt=date)
            )
        return self.filter(lasting)


class Tenancy(models.Model):
    """A household in an apartment, from local midnight of moved_in to local midnight of moved_out."""

    apartment = models.ForeignKey(
        Apartment, on_delete=models.PROTECT, related_name="tenancies", verbose_name=_("apartment")
    )
    moved_in = models.DateField(_("moved in"), validators=plausible_date)
    moved_out = models.DateField(
        _("moved out"),
        null=True,
        blank=True,
        validators=plausible_date,
        help_text=_("The first day on which the household no longer lives there."),
    )
    residents = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="tenancies", blank=True, verbose_name=_("residents")
    )

    objects = TenancyQuerySet.as_manager()
    history = History(m2m_fields=["residents"])

    class Meta:
        ordering = ["apartment", "-moved_in"]
        verbose_name = _("tenancy")
        verbose_name_plural = _("tenancies")
        constraints = [
            models.CheckConstraint(
                condition=Q(moved_out__isnull=True) | Q(moved_out__gt=F("moved_in")),
                name="tenancy_ends_after_it_begins",
                violation_error_message=_("A tenancy must end after the day it begins."),
            )
        ]

    def __str__(self) -> str:
        return gettext("%(apartment)s, %(begin)s to %(end)s") % ({"apartment": self.apartment} | self.dates)

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            # The lock makes two simultaneous saves for one apartment see each other.
            Apartment.objects.select_for_update().get(pk=self.apartment_id)
            self._refuse_overlap()
            super().save(*args, **kwargs)

    def clean(self) -> None:
        super().clean()
        if self.apartment_id and self.moved_in:
            self._refuse_overlap()

    def _refuse_overlap(self) -> None:
        others = Tenancy.objects.filter(apartment=self.apartment_id).exclude(pk=self.pk)
        if self.moved_out:
            others = others.filter(moved_in__lt=self.moved_out)
        clash = others.filter(Q(moved_out__isnull=True) | Q(moved_out__gt=self.moved_in)).first()
        if clash:
            words = gettext("Apartment %(number)s has a tenancy from %(begin)s to %(end)s already. End that one first.")
            raise ValidationError(words % ({"number": self.apartment.number} | clash.dates))

    @property
    def dates(self) -> dict[str, str]:
        """`begin` and `end` in words; of one that lasts the end is today."""
        end = date_format(self.moved_out, "SHORT_DATE_FORMAT") if self.moved_out else gettext("today")
        return {"begin": date_format(self.moved_in, "SHORT_DATE_FORMAT"), "end": end}

    @property
    def has_ended(self) -> bool:
        """Whether the household has moved out by now."""
        return self.until is not None and self.until <= timezone.now()

    @property
    def since(self) -> dt.datetime:
        """The first instant this household may see."""
        return self.apartment.building.midnight(self.moved_in)

    @property
    def until(self) -> dt.datetime | None:
        """The first instant this household may no longer see; None while it lives there."""
        return self.apartment.building.midnight(self.moved_out) if self.moved_out else None

    def covers(self, instant: dt.datetime) -> bool:
        """Whether the household may see what was measured at that instant."""
        return self.since <= instant and (self.until is None or instant < self.until)


def open_tenancy(apartment: Apartment, moved_in: dt.date) -> Tenancy:
    """The tenancy that begins on that local date; the one before it ends there.

    Raises ValidationError where a later tenancy exists.
    """
    with transaction.atomic():
        Apartment.objects.select_for_update().get(pk=apartment.pk)
        same_day = Tenancy.objects.filter(apartment=apartment, moved_in=moved_in).first()
        if same_day:
            return same_day
        before = Tenancy.objects.on(apartment, moved_in).first()
        if before:
            before.moved_out = moved_in
            before.save()
        tenancy = Tenancy(apartment=apartment, moved_in=moved_in)
        tenancy.save()
        return tenancy
