"""Django admin for the manager: meters, readings, energy, tariffs, refused messages, listeners. One file each."""

from metering.admin import buildings, listeners, meters, people, readings, rejected, tariffs

__all__ = ["buildings", "listeners", "meters", "people", "readings", "rejected", "tariffs"]
