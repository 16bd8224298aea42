"""Bytes of a meter family -> Measurement, or InvalidMessage. One module per family."""

import datetime as dt
from collections.abc import Callable

from metering.ingest.decoders import native
from metering.ingest.decoders.measurement import InvalidMessage, Limits, Measurement

Decoder = Callable[[bytes, dt.datetime, Limits], Measurement]

NATIVE = "native"
DECODERS: dict[str, Decoder] = {NATIVE: native.decode}

__all__ = ["DECODERS", "NATIVE", "Decoder", "InvalidMessage", "Limits", "Measurement"]
