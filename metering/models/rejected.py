"""Messages that can never be stored, kept for the manager to see."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext_lazy as _

from accounts.models import Building
from accounts.text import escape
from metering.models.instant import InstantField

KEPT_PAYLOAD_BYTES = 4096
KEPT_TOPIC_CHARACTERS = 256


class RejectedMessageQuerySet(models.QuerySet["RejectedMessage"]):
    """Refused messages, and which of them are too many."""

    def beyond(self, number: int) -> Self:
        """All but that many, the newest."""
        oldest_kept = self.order_by("-pk").values("pk")[max(0, number - 1) : number]
        return self.filter(pk__lt=oldest_kept)

    def beyond_the_share_of_a_topic(self) -> Self:
        """Of each topic all but the newest: one meter must not push out what the others sent."""
        ranked = self.annotate(rank=Window(RowNumber(), partition_by=F("topic"), order_by=F("pk").desc()))
        return self.filter(pk__in=ranked.filter(rank__gt=settings.MAX_REJECTED_OF_ONE_TOPIC).values("pk"))


class RejectedMessage(models.Model):
    """A refused message and why. The oldest go when there are too many; every one is counted."""

    received_at = InstantField(_("received at"))
    topic = models.CharField(_("topic"), max_length=KEPT_TOPIC_CHARACTERS)
    building = models.ForeignKey(
        Building, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("building")
    )
    payload = models.BinaryField(max_length=KEPT_PAYLOAD_BYTES)
    reason = models.CharField(_("reason"), max_length=200)

    objects = RejectedMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("rejected message")
        verbose_name_plural = _("rejected messages")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.topic}: {self.reason}"

    @property
    def payload_text(self) -> str:
        """The kept part of the payload; what is no text, or cannot be seen, appears as \\x escapes."""
        return escape(bytes(self.payload).decode("utf-8", errors="backslashreplace"), keep="\t\n")
