"""From readings to loads, in the database."""

from metering.derivation.statement import derive
from metering.derivation.windows import touched_from, windows_from

__all__ = ["derive", "touched_from", "windows_from"]
