"""The nouns of metering, one file per family."""

from metering.models.listener import JournalPage, ListenerState
from metering.models.meter import Meter
from metering.models.reading import Reading
from metering.models.rejected import RejectedMessage

__all__ = ["JournalPage", "ListenerState", "Meter", "Reading", "RejectedMessage"]
