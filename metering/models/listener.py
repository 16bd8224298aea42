"""What a listener says about itself, and which deliveries it has stored."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from metering.models.instant import InstantField

# A listener that is well gives a sign of life this often: every five seconds, and a step takes its time.
ON_TIME_SECONDS = 10.0


class ListenerState(models.Model):
    """One row per listener (its MQTT client id): heartbeat, broker, counters since it was made."""

    name = models.CharField(_("name"), max_length=100, unique=True, help_text=_("The listener's MQTT client id."))
    started_at = InstantField(_("started at"))
    heartbeat_at = InstantField(_("heartbeat at"))
    stopped_at = InstantField(_("stopped at"), null=True, help_text=_("When it was stopped on purpose."))
    broker_connected = models.BooleanField(default=False)
    broker_changed_at = InstantField(_("broker changed at"))
    received = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    ignored = models.BigIntegerField(default=0, help_text="Retained messages without a time of their own.")
    rejected = models.BigIntegerField(default=0)
    rejected_by_reason = models.JSONField(default=dict)
    batches = models.BigIntegerField(default=0, help_text="Batches stored, each in one transaction.")
    batch_size = models.IntegerField(_("batch size"), default=0, help_text=_("Messages in the newest batch."))
    batch_wait = models.FloatField(default=0.0, help_text="s; how long the oldest message of that batch had waited.")
    commit_seconds = models.FloatField(default=0.0, help_text="s; all batches' time in the database, but the newest's.")

    class Meta:
        verbose_name = _("listener state")
        verbose_name_plural = _("listener states")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_up(self) -> bool:
        """Whether its heart has beaten lately and it was not stopped since."""
        return self.stopped_at is None and timezone.now() - self.heartbeat_at < dt.timedelta(
            seconds=settings.LISTENER_DOWN_SECONDS
        )

    @property
    def silent_seconds(self) -> float:
        """Time since its last sign of life."""
        return (timezone.now() - self.heartbeat_at).total_seconds()

    @property
    def unstored_seconds(self) -> float:
        """How old the oldest message that it has not stored may be; 0 while it gives signs of life in time.

        A listener that cannot reach the database cannot write how long its messages have waited there.
        """
        return self.silent_seconds if self.silent_seconds > ON_TIME_SECONDS else 0.0


class JournalPage(models.Model):
    """The deliveries of one stored batch, for recognising redeliveries of exactly these.

    Written in the transaction that stores the batch. `entries` holds, for each delivery, its packet
    id (2 bytes, big endian) and a hash of its topic and payload (8 bytes).
    """

    listener = models.ForeignKey(ListenerState, on_delete=models.CASCADE, related_name="journal")
    entries = models.BinaryField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.listener}: page {self.pk}"
