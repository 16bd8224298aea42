"""Django admin for the manager: the house, meters, readings, energy, tariffs, refused messages, listeners.

One file each.
"""

from metering.admin import buildings, index, listeners, meters, people, readings, rejected, tariffs

__all__ = ["buildings", "index", "listeners", "meters", "people", "readings", "rejected", "tariffs"]
