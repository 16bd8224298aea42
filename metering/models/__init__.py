"""The nouns of metering, one file per family."""

from metering.models.listener import JournalPage, ListenerState
from metering.models.load import DayTotal, Load, LoadProgress
from metering.models.meter import Meter
from metering.models.reading import Reading
from metering.models.rejected import RejectedMessage

__all__ = [
    "DayTotal",
    "JournalPage",
    "ListenerState",
    "Load",
    "LoadProgress",
    "Meter",
    "Reading",
    "RejectedMessage",
]
