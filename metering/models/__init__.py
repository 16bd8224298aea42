"""The nouns of metering, one file per family."""

from metering.models.listener import JournalPage, ListenerState
from metering.models.load import DayTotal, Load, LoadProgress, MonthTotal, Pruning
from metering.models.meter import Meter, meters_of
from metering.models.reading import Reading
from metering.models.rejected import RejectedMessage
from metering.models.tariff import Band, Rate, Tariff, share_week

__all__ = [
    "Band",
    "DayTotal",
    "JournalPage",
    "ListenerState",
    "Load",
    "LoadProgress",
    "Meter",
    "MonthTotal",
    "Pruning",
    "Rate",
    "Reading",
    "RejectedMessage",
    "Tariff",
    "meters_of",
    "share_week",
]
