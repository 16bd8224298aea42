"""The way of a reading as a resident sees it: a lamp for each part of it, with words."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from metering.status import Status

WORDS: dict[str, dict[str, Promise]] = {
    "listener": {"up": _("Recorder ready"), "down": _("Recorder stopped")},
    "broker": {
        "connected": _("Reception works"),
        "disconnected": _("No reception"),
        "unknown": _("Reception: unknown"),
    },
    "meter": {
        "live": _("Meter live"),
        "stale": _("Meter late"),
        "silent": _("Meter silent"),
        "unknown": _("Meter: unknown"),
    },
}


@dataclass(frozen=True)
class Lamp:
    """One part of the way, and what is known of it."""

    name: str
    state: str

    @property
    def words(self) -> dict[str, Promise]:
        """What it says, by state."""
        return WORDS[self.name]

    @property
    def word(self) -> Promise:
        """What it says now."""
        return self.words[self.state]


def lamps_of(status: Status) -> list[Lamp]:
    """Past the first part that fails nothing is known, so that one trouble is told once."""
    return [
        Lamp("listener", status.listener),
        Lamp("broker", status.broker if status.listener == "up" else "unknown"),
        Lamp("meter", status.meter if status.is_recording else "unknown"),
    ]
