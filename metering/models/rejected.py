"""Messages that can never be stored, kept for the manager to see."""

from django.db import models

from accounts.models import Building
from accounts.text import escape
from metering.models.instant import InstantField

KEPT_PAYLOAD_BYTES = 4096
KEPT_TOPIC_CHARACTERS = 256


class RejectedMessage(models.Model):
    """A refused message and why. The oldest go when there are too many; every one is counted."""

    received_at = InstantField()
    topic = models.CharField(max_length=KEPT_TOPIC_CHARACTERS)
    building = models.ForeignKey(Building, on_delete=models.CASCADE, null=True, related_name="+")
    payload = models.BinaryField(max_length=KEPT_PAYLOAD_BYTES)
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.topic}: {self.reason}"

    @property
    def payload_text(self) -> str:
        """The kept part of the payload; what is no text, or cannot be seen, appears as \\x escapes."""
        return escape(bytes(self.payload).decode("utf-8", errors="backslashreplace"), keep="\t\n")
