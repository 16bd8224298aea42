"""Tariffs: what energy costs in a building, from when on, in which hours of the week."""

from collections.abc import Sequence
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Building
from accounts.models.history import History
from accounts.models.tenancy import plausible_date
from accounts.text import refuse_hidden_in
from metering.models.instant import InstantField
from metering.week import A_WEEK, ALL_WEEK, describe, parse_hours

DIGITS, DECIMALS = 12, 6
"""Of prices, which are given to a hundredth of a cent and beyond."""
ANOTHER = gettext_lazy("This building has a tariff from this day on already. Change that one.")
CAPITALS = gettext_lazy("Three capital letters, such as EUR.")


def validate_hours(text: str) -> None:
    """Raise ValidationError where these are no hours of a week."""
    try:
        parse_hours(text)
    except ValueError as problem:
        raise ValidationError(str(problem)) from None


class BandQuerySet(models.QuerySet["Band"]):
    """Bands."""

    def of_hours(self, *sets: int) -> list["Band"]:
        """The band of each of these sets of quarter hours of the week, made where it is new."""
        texts = [f"{slots:0{A_WEEK // 4}x}" for slots in sets]
        known = {band.slots: band for band in self.filter(slots__in=texts)}
        return [known.get(text) or self.get_or_create(slots=text)[0] for text in texts]


class Band(models.Model):
    """Hours of the week, apart from which the days' energy is kept, so that a price can be put on it later.

    Bands outlive tariffs: a new price for the same hours finds its energy summed already.
    """

    slots = models.CharField(max_length=A_WEEK // 4, unique=True, help_text="Quarter hours of the week: 672 bits, hex.")

    objects = BandQuerySet.as_manager()

    def __str__(self) -> str:
        return describe(self.hours)

    @property
    def hours(self) -> int:
        """The set of quarter hours of the week."""
        return int(self.slots, 16)


class TariffQuerySet(models.QuerySet["Tariff"]):
    """Tariffs."""

    def current(self) -> Self:
        """Without the versions that were replaced or withdrawn."""
        return self.filter(replaced_at__isnull=True)

    def timeline(self, building: Building) -> list["Tariff"]:
        """What is or will be in force, each from its day until that of the next one, with its rates."""
        return list(self.current().filter(building=building).order_by("valid_from").prefetch_related("rates"))


class Tariff(models.Model):
    """Prices of a building from a local midnight on, until the next one's. Replaced versions stay."""

    building = models.ForeignKey(
        Building, on_delete=models.PROTECT, related_name="tariffs", verbose_name=gettext_lazy("building")
    )
    valid_from = models.DateField(
        gettext_lazy("valid from"),
        validators=plausible_date,
        help_text=gettext_lazy("The first day, from its local midnight. It holds until the next tariff."),
    )
    currency = models.CharField(
        gettext_lazy("currency"),
        max_length=3,
        validators=[RegexValidator(r"\A[A-Z]{3}\Z", CAPITALS)],
        help_text=CAPITALS,
    )
    standing_charge = models.DecimalField(
        gettext_lazy("standing charge"),
        max_digits=DIGITS,
        decimal_places=DECIMALS,
        default=0,
        validators=[MinValueValidator(0)],
        help_text=gettext_lazy("For each apartment and day, without tax."),
    )
    tax_rate = models.DecimalField(
        gettext_lazy("tax rate"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=gettext_lazy("Per cent that come on top of all prices here. Empty: nothing does."),
    )
    created_at = InstantField(gettext_lazy("created at"), default=timezone.now, editable=False)
    replaced_at = InstantField(
        gettext_lazy("replaced or withdrawn at"),
        null=True,
        editable=False,
        help_text="When another version took its place, or it was withdrawn.",
    )
    applied = models.BooleanField(
        default=False, editable=False, help_text="Whether all days it holds on are summed by its hours."
    )

    objects = TariffQuerySet.as_manager()
    history = History(excluded_fields=["applied"])

    class Meta:
        verbose_name = gettext_lazy("tariff")
        verbose_name_plural = gettext_lazy("tariffs")
        ordering = ["building", "-valid_from", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["building", "valid_from"],
                condition=Q(replaced_at__isnull=True),
                name="tariff_one_from_a_day",
                violation_error_message=ANOTHER,
            )
        ]

    def __str__(self) -> str:
        words = {"building": self.building.slug, "day": date_format(self.valid_from, "SHORT_DATE_FORMAT")}
        if self.replaced_at is None:
            return _("%(building)s from %(day)s") % words
        until = date_format(timezone.localtime(self.replaced_at), "SHORT_DATETIME_FORMAT")
        return _("%(building)s from %(day)s, until %(until)s") % (words | {"until": until})

    def clean(self) -> None:
        super().clean()
        # The constraint is not asked where a form does not show the building.
        others = Tariff.objects.current().filter(building=self.building_id, valid_from=self.valid_from)
        if self.replaced_at is None and others.exclude(pk=self.pk).exists():
            raise ValidationError({"valid_from": ANOTHER})


class Rate(models.Model):
    """The price of a kilowatt-hour in some hours of the week."""

    tariff = models.ForeignKey(
        Tariff, on_delete=models.CASCADE, related_name="rates", verbose_name=gettext_lazy("tariff")
    )
    name = models.CharField(
        gettext_lazy("name"), max_length=40, help_text=gettext_lazy("Such as Day and Night, or Electricity.")
    )
    price = models.DecimalField(
        gettext_lazy("price"),
        max_digits=DIGITS,
        decimal_places=DECIMALS,
        validators=[MinValueValidator(0)],
        help_text=gettext_lazy("For a kWh, without tax."),
    )
    hours = models.CharField(
        gettext_lazy("hours"),
        max_length=500,
        blank=True,
        validators=[validate_hours],
        help_text=gettext_lazy(
            "Local time, such as Mon-Fri 06:00-22:00, Sat 07:00-13:00. Empty: whenever no other rate holds."
        ),
    )

    history = History()

    class Meta:
        verbose_name = gettext_lazy("rate")
        verbose_name_plural = gettext_lazy("rates")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tariff", "name"],
                name="rate_name_once",
                violation_error_message=gettext_lazy("Two rates of a tariff cannot have the same name."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        refuse_hidden_in(self, "name", "hours")


def share_week(rates: Sequence[Rate]) -> list[tuple[Rate, int]]:
    """Each rate with its quarter hours of the week: every one of the week belongs to exactly one.

    Raises ValidationError that names the hours which none holds in, or two do.
    """
    named = [(rate, parse_hours(rate.hours)) for rate in rates if rate.hours.strip()]
    rest = [rate for rate in rates if not rate.hours.strip()]
    if len(rest) > 1:
        words = {"one": rest[0], "other": rest[1]}
        raise ValidationError(
            _("“%(one)s” and “%(other)s” are both without hours. Only one may hold at all others.") % words
        )
    problems, taken = [], 0
    for number, (rate, slots) in enumerate(named):
        problems += [
            _("“%(one)s” and “%(other)s” both hold on %(hours)s.")
            % {"one": earlier, "other": rate, "hours": describe(slots & other)}
            for earlier, other in named[:number]
            if slots & other
        ]
        taken |= slots
    left = ALL_WEEK & ~taken
    if left and not rest:
        problems.append(_("No rate holds on %(hours)s.") % {"hours": describe(left)})
    if rest and not left:
        problems.append(
            _("“%(rate)s” never holds: the others take the whole week. Give it hours, or remove it.")
            % {"rate": rest[0]}
        )
    if problems:
        raise ValidationError(problems)
    return [*named, *((rate, left) for rate in rest)]
