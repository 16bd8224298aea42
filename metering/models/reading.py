"""Readings: what a meter said at one moment."""

import datetime as dt
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from accounts.access import Residence, Span
from accounts.models import Building, User
from metering.models.instant import InstantField
from metering.models.meter import Meter, meters_of

NOT_SAVED = {"saved_at": None, "saved_by": None, "note": ""}
"""What a reading says that nobody keeps."""


def _within(spans: tuple[Span, ...]) -> Q:
    """Taken in one of these spans of time."""
    own = Q(pk__in=[])
    for span in spans:
        own |= Q(taken_at__gte=span.since, taken_at__lt=span.until) if span.until else Q(taken_at__gte=span.since)
    return own


class ReadingQuerySet(models.QuerySet["Reading"]):
    """Readings, and who may see which."""

    def of(self, residence: Residence) -> Self:
        """A household's own time in its own apartment, and nothing else."""
        # Naming the meters lets the database seek in (meter, taken_at) instead of joining.
        return self.filter(_within(residence.spans), meter__in=meters_of(residence))

    def newer_of(self, residence: Residence, number: int) -> Self:
        """Those of a household that were stored after the reading of that number, in this order."""
        # "+ 0" keeps SQLite from seeking in (meter, taken_at): it would read all that the household ever had.
        own = self.alias(of_meter=models.F("meter_id") + 0).filter(_within(residence.spans), pk__gt=number)
        return own.filter(of_meter__in=[meter.pk for meter in meters_of(residence)]).order_by("pk")

    def latest_of(self, residence: Residence) -> "Reading | None":
        """The newest reading a household may see: an index seek for each meter of its apartment."""
        meters = meters_of(residence)
        for span in residence.spans:
            own = self.filter(_within((span,)))
            newest = [own.filter(meter=meter).order_by("-taken_at").first() for meter in meters]
            found: list[Reading] = [reading for reading in newest if reading]
            if found:
                return max(found, key=lambda reading: reading.taken_at)
        return None

    def managed_by(self, user: User) -> Self:
        """All readings of the buildings this user manages: of all buildings for a superuser."""
        if user.is_superuser:
            return self
        buildings = Building.objects.managed_by(user)
        meters = list(Meter.objects.filter(building__in=buildings).values_list("pk", flat=True))
        # "+ 0" keeps the database from collecting all readings of these meters and sorting them:
        # it walks back from the newest one instead and stops when a page is full.
        return self.annotate(of_meter=models.F("meter_id") + 0).filter(of_meter__in=meters)

    def saved(self) -> Self:
        """Those a resident keeps."""
        return self.filter(saved_at__isnull=False)


class Reading(models.Model):
    """One accepted message. The newest row is the latest reading; a saved one carries a mark."""

    meter = models.ForeignKey(
        Meter, on_delete=models.PROTECT, related_name="readings", db_index=False, verbose_name=_("meter")
    )
    taken_at = InstantField(
        _("taken at"), help_text=_("When it was measured: the meter's clock, else the moment of receipt.")
    )
    voltage = models.FloatField(_("voltage"), help_text="V")
    current = models.FloatField(_("current"), help_text=_("A; below zero is export"))
    power = models.FloatField(_("power"), help_text=_("W; below zero is export"))
    power_factor = models.FloatField(_("power factor"), null=True, blank=True)
    energy_total = models.FloatField(
        _("energy total"), null=True, blank=True, help_text=_("kWh; the meter's own register")
    )
    received_at = InstantField(
        _("received at"),
        null=True,
        help_text=_("When the listener got it; empty where the meter sent no time: then that is taken_at."),
    )
    saved_at = InstantField(_("saved at"), null=True, blank=True)
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="saved_readings",
        db_index=False,
        verbose_name=_("saved by"),
    )
    note = models.CharField(_("note"), max_length=120, blank=True)

    objects = ReadingQuerySet.as_manager()

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["meter", "taken_at"], name="reading_once")]
        indexes = [
            models.Index(fields=["meter", "taken_at"], condition=Q(saved_at__isnull=False), name="reading_saved"),
            models.Index(fields=["saved_at"], condition=Q(saved_at__isnull=False), name="reading_saved_at"),
            models.Index(fields=["saved_by"], condition=Q(saved_by__isnull=False), name="reading_saved_by"),
        ]

    def __str__(self) -> str:
        return f"{self.meter}, {date_format(timezone.localtime(self.taken_at), 'DATETIME_FORMAT')}"

    def save_for(self, user: User, note: str, now: dt.datetime) -> None:
        """Keep this reading for a resident. Saving it again with a note replaces the note and whose it is."""
        with transaction.atomic():
            # Another one of the household may have saved it meanwhile.
            self.refresh_from_db(from_queryset=Reading.objects.select_for_update())
            self._keep(user, note.strip(), now)

    def _keep(self, user: User, note: str, now: dt.datetime) -> None:
        self.saved_at = self.saved_at or now
        if note or self.saved_by is None:
            self.saved_by = user
        self.note = note or self.note
        self.save(update_fields=["saved_at", "saved_by", "note"])
