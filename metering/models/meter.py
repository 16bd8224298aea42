"""Meters: which device measured what, from when until when."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Prefetch, Q, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from simple_history.utils import bulk_create_with_history

from accounts.access import Residence
from accounts.models import Apartment, Building
from accounts.models.history import History, past_states
from accounts.text import refuse_hidden_in
from metering.ingest.decoders import DECODERS, NATIVE
from metering.ingest.topics import PREFIX, native_topic, parse_native
from metering.models.instant import EPOCH, InstantField

NATIVE_TAKEN = gettext_lazy(
    "This apartment has a meter on its own topic already. Fill in when that one was removed, or give this one a topic."
)


def validate_meter_topic(topic: str) -> None:
    """Raise ValidationError where a meter cannot publish to it."""
    if "+" in topic or "#" in topic:
        raise ValidationError(_("A meter publishes to one topic: + and # are for subscriptions."))
    if parse_native(topic):
        raise ValidationError(
            _("This topic belongs to an apartment. Leave the field empty for that apartment's meter.")
        )
    if not topic.isprintable():
        raise ValidationError(_("A topic must not hold invisible characters."))
    if topic.startswith(("$", "/")) or topic.endswith("/"):
        raise ValidationError(_("A topic must not begin with $ or /, nor end with /."))


@dataclass(frozen=True)
class Home:
    """An apartment that publishes to a topic; until when, where it does not any more."""

    topic: str
    apartment_id: int
    until: dt.datetime | None = None


class MeterQuerySet(models.QuerySet["Meter"]):
    """Meters."""

    def ensure_native(self, apartments: list[Apartment]) -> list["Meter"]:
        """Give each of these apartments a native meter, unless it has or had one; return the new ones."""
        equipped = set(self.filter(apartment__in=apartments, topic="").values_list("apartment_id", flat=True))
        bare = [apartment for apartment in apartments if apartment.pk not in equipped]
        meters = [Meter(building_id=flat.building_id, apartment=flat, installed_at=EPOCH) for flat in bare]
        made: list[Meter] = bulk_create_with_history(meters, Meter, batch_size=1000)
        return made

    def homes_behind(self, topics: set[str]) -> list[Home]:
        """Which apartments publish to these topics, or did before a meter or an apartment was changed."""
        meters = self.filter(topic__in=topics, apartment__isnull=False)
        found = [Home(topic, home) for topic, home in meters.values_list("topic", "apartment_id")]
        once = Meter.history.filter(topic__in=topics).values("id")
        for record, until in past_states(Meter.history.filter(id__in=once)):
            if record.topic in topics and record.apartment_id:
                found.append(Home(record.topic, record.apartment_id, until))
        return found + self._native_homes(topics)

    def _native_homes(self, topics: set[str]) -> list[Home]:
        numbers = {address.apartment for topic in topics if (address := parse_native(topic))}
        slugs: dict[int, list[tuple[str, dt.datetime | None]]] = defaultdict(list)
        for pk, slug in Building.objects.values_list("pk", "slug"):
            slugs[pk].append((slug, None))
        for building, until in past_states(Building.history.all()):
            slugs[building.id].append((building.slug, until))
        flats = [(flat, None) for flat in Apartment.objects.filter(number__in=numbers)]
        once = Apartment.history.filter(number__in=numbers).values("id")
        past = [(record.instance, until) for record, until in past_states(Apartment.history.filter(id__in=once))]
        homes = [
            Home(native_topic(slug, flat.number), flat.pk, min(filter(None, (until, renamed)), default=None))
            for flat, until in flats + past
            for slug, renamed in slugs[flat.building_id]
        ]
        return [home for home in homes if home.topic in topics]


class Meter(models.Model):
    """A device that publishes readings of one apartment, or of the building where apartment is empty.

    Replacing a meter ends one row and starts another, so that registers are never compared across.
    """

    building = models.ForeignKey(
        Building, on_delete=models.PROTECT, related_name="meters", verbose_name=gettext_lazy("building")
    )
    apartment = models.ForeignKey(
        Apartment,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="meters",
        verbose_name=gettext_lazy("apartment"),
        help_text=gettext_lazy("Empty for the building's main or common meter."),
    )
    is_main = models.BooleanField(
        gettext_lazy("main meter"),
        default=False,
        help_text=gettext_lazy("It measures the whole building. The other meters of the building are behind it."),
    )
    serial = models.CharField(gettext_lazy("serial number"), max_length=64, blank=True)
    decoder = models.CharField(
        gettext_lazy("decoder"), max_length=32, choices=[(name, name) for name in DECODERS], default=NATIVE
    )
    topic = models.CharField(
        gettext_lazy("topic"),
        max_length=200,
        blank=True,
        validators=[validate_meter_topic],
        help_text=gettext_lazy("The MQTT topic it publishes to. Empty: electricity/BUILDING/floor/APARTMENT."),
    )
    installed_at = InstantField(
        gettext_lazy("installed at"),
        default=timezone.now,
        help_text=gettext_lazy("Readings taken before are not this meter's."),
    )
    removed_at = InstantField(gettext_lazy("removed at"), null=True, blank=True)

    objects = MeterQuerySet.as_manager()
    history = History()

    class Meta:
        verbose_name = gettext_lazy("meter")
        verbose_name_plural = gettext_lazy("meters")
        ordering = ["building", "apartment__number", "installed_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True) | Q(removed_at__gt=models.F("installed_at")),
                name="meter_removed_after_installed",
                violation_error_message=gettext_lazy("A meter must be removed after it was installed."),
            ),
            models.UniqueConstraint(
                fields=["apartment"],
                condition=Q(removed_at__isnull=True, topic=""),
                name="meter_native_once",
                violation_error_message=NATIVE_TAKEN,
            ),
            models.UniqueConstraint(
                fields=["topic"],
                condition=Q(removed_at__isnull=True) & ~Q(topic=""),
                name="meter_topic_once",
                violation_error_message=gettext_lazy("Another installed meter publishes to this topic already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.serial}".strip()

    def clean(self) -> None:
        super().clean()
        refuse_hidden_in(self, "serial")
        if self.apartment and self.building_id and self.apartment.building_id != self.building_id:
            raise ValidationError({"apartment": _("This apartment is in another building.")})
        if self.apartment and self.is_main:
            raise ValidationError({"is_main": _("An apartment's meter does not measure the whole building.")})
        if not self.apartment and not self.topic:
            raise ValidationError({"topic": _("A meter without an apartment needs a topic of its own.")})
        if self.topic:
            self._refuse_shared_topic()
        elif self.removed_at is None:
            # The constraint is not asked where a form does not show the apartment.
            native = Meter.objects.filter(apartment=self.apartment_id, topic="", removed_at__isnull=True)
            if native.exclude(pk=self.pk).exists():
                # On a field the constraint is not asked once more.
                raise ValidationError({"topic": NATIVE_TAKEN})

    def _refuse_shared_topic(self) -> None:
        if self.topic == settings.MQTT_TOPIC:
            raise ValidationError({"topic": _("All apartments publish to this topic.")})
        levels = self.topic.split("/")
        if levels[0] == PREFIX and Building.objects.filter(slug=levels[1]).exclude(pk=self.building_id).exists():
            raise ValidationError({"topic": _("This topic is in another building's name.")})
        others = Meter.objects.filter(topic=self.topic).exclude(pk=self.pk)
        if others.exclude(building=self.building_id).exists():
            raise ValidationError({"topic": _("A meter of another building publishes to this topic.")})
        later = others.filter(Q(removed_at__isnull=True) | Q(removed_at__gt=self.installed_at))
        if self.removed_at:
            later = later.filter(installed_at__lt=self.removed_at)
        if later.exists():
            raise ValidationError({"topic": _("Another meter publishes to this topic in the same time.")})

    @property
    def has_measured(self) -> bool:
        """Whether anything is kept of it. Its readings go first."""
        return self.readings.exists() or self.loads.exists() or self.day_totals.exists()

    @property
    def place(self) -> str:
        """The apartment or the building whose electricity it measures."""
        return (
            str(self.apartment) if self.apartment else _("%(building)s (building)") % {"building": self.building.slug}
        )

    @property
    def name(self) -> str:
        """What a household knows it by: its serial number, else its number in Riser."""
        return self.serial or str(self.pk)

    @property
    def publishes_to(self) -> str:
        """The topic whose messages are this meter's."""
        if self.topic or not self.apartment:
            return self.topic
        return native_topic(self.building.slug, self.apartment.number)


def meters_of(residence: Residence) -> list[Meter]:
    """The meters of a household's apartment, in the order in which they were installed. Asked once for a residence.

    Where it looks at one meter only, that one.
    """
    ordered = Prefetch("meters", queryset=Meter.objects.order_by("installed_at", "pk"))
    prefetch_related_objects([residence.apartment], ordered)
    meters = residence.apartment.meters.all()
    return [meter for meter in meters if residence.meter in {None, meter.pk}]
