"""Riser's own format: a JSON object with `voltage` (V) and `current` (A).

Optional: `power` (W), `power_factor`, `energy` (kWh register), `timestamp` (ISO 8601, UTC where it
names no offset, or seconds since 1970), `apartment`, `floor`. Anything else is passed over.
"""

import datetime as dt

import msgspec

from metering.ingest.decoders.measurement import InvalidMessage, Limits, Measurement

MAX_BYTES = 64 * 1024
# kWh; more than a power station's meter counts in a year.
MAX_ENERGY = 1e12
EARLIEST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
LATEST_AHEAD = dt.timedelta(days=1)
KINDS = {
    "array": "an array",
    "bool": "a boolean",
    "float": "a number",
    "int": "a number",
    "object": "an object",
    "str": "a string",
}
TEXT_OR_NUMBER = ("timestamp", "apartment")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Payload(msgspec.Struct, gc=False):
    """The fields Riser reads, with the types JSON must give them."""

    voltage: float
    current: float
    power: float | None = None
    power_factor: float | None = None
    energy: float | None = None
    timestamp: str | float | None = None
    apartment: str | int | None = None


_decode = msgspec.json.Decoder(Payload).decode


def decode(payload: bytes, received_at: dt.datetime, limits: Limits) -> Measurement:
    """The measurement a payload holds. Raises InvalidMessage with the reason in words."""
    fields = _parse(payload)
    _check_ranges(fields, limits)
    power = fields.power
    if power is None:
        power = fields.voltage * fields.current * (1.0 if fields.power_factor is None else fields.power_factor)
    return Measurement(
        voltage=fields.voltage,
        current=fields.current,
        power=power,
        power_factor=fields.power_factor,
        energy_total=fields.energy,
        taken_at=None if fields.timestamp is None else _instant(fields.timestamp, received_at),
        apartment=None if fields.apartment is None else str(fields.apartment),
    )


def _parse(payload: bytes) -> Payload:
    if len(payload) >= MAX_BYTES:
        raise InvalidMessage("too_large", f"The message has {len(payload)} bytes; the limit is {MAX_BYTES - 1}.")
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise InvalidMessage("not_utf8", f"The message is not UTF-8 text (byte {error.start}).") from error
    try:
        return _decode(payload)
    except msgspec.ValidationError as error:
        raise InvalidMessage(*_describe(str(error))) from error
    except msgspec.DecodeError as error:
        raise InvalidMessage(*_describe_syntax(payload, error)) from error
    except RecursionError as error:
        raise InvalidMessage("too_deep", "The message nests brackets too deeply.") from error


def _describe_syntax(payload: bytes, error: msgspec.DecodeError) -> tuple[str, str]:
    if not payload.strip():
        return "empty", "The message is empty."
    if b"NaN" in payload or b"Infinity" in payload:
        return "not_a_number", "The message holds NaN or Infinity, which JSON does not know."
    return "not_json", f"The message is not JSON: {str(error).removeprefix('JSON is malformed: ')}."


def _describe(problem: str) -> tuple[str, str]:
    """Code and words for a problem msgspec found, such as "Expected `float`, got `str` - at `$.voltage`"."""
    what, _, where = problem.partition(" - at ")
    field = where.strip("`").removeprefix("$.")
    if what.startswith("Object missing"):
        return "missing", f"{what.split('`')[1]} is missing."
    if "out of range" in what or "too large" in what.lower():
        return "out_of_range", f"{field or 'A number'} is out of range."
    kind = what.rpartition("got ")[2].strip("`")
    kind = KINDS.get(kind, kind)
    if not field:
        return "not_object", f"The message is not a JSON object, it is {kind}."
    wanted = "text or a number" if field in TEXT_OR_NUMBER else "a number"
    return "wrong_type", f"{field} must be {wanted}, it is {kind}."


def _check_ranges(fields: Payload, limits: Limits) -> None:
    if fields.voltage < 0:
        raise InvalidMessage("negative", f"voltage is below zero: {fields.voltage:g} V.")
    if fields.voltage > limits.voltage:
        raise _implausible("voltage", fields.voltage, "V", limits.voltage)
    if abs(fields.current) > limits.current:
        raise _implausible("current", fields.current, "A", limits.current)
    if fields.power is not None and abs(fields.power) > limits.voltage * limits.current:
        raise _implausible("power", fields.power, "W", limits.voltage * limits.current)
    if fields.power_factor is not None and abs(fields.power_factor) > 1:
        raise _implausible("power_factor", fields.power_factor, "", 1)
    if fields.energy is not None and fields.energy < 0:
        raise InvalidMessage("negative", f"energy is below zero: {fields.energy:g} kWh.")
    if fields.energy is not None and fields.energy > MAX_ENERGY:
        raise _implausible("energy", fields.energy, "kWh", MAX_ENERGY)


def _implausible(field: str, value: float, unit: str, limit: float) -> InvalidMessage:
    text = f"{field} is implausible: {value:g} {unit}".rstrip()
    return InvalidMessage("implausible", f"{text}, the limit is {limit:g}.")


def _instant(timestamp: str | float, received_at: dt.datetime) -> dt.datetime:
    instant = _from_iso(timestamp) if isinstance(timestamp, str) else _from_epoch(timestamp)
    if instant < EARLIEST:
        raise InvalidMessage("timestamp", f"timestamp is {instant:%Y-%m-%d}: the meter's clock is not set.")
    if instant > received_at + LATEST_AHEAD:
        raise InvalidMessage("timestamp", f"timestamp is {instant:%Y-%m-%d %H:%M} UTC, more than a day ahead.")
    return instant


def _from_iso(text: str) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(text)
        return instant.astimezone(dt.UTC) if instant.tzinfo else instant.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidMessage("timestamp", f"timestamp is not ISO 8601: {text[:40]}") from error


def _from_epoch(seconds: float) -> dt.datetime:
    try:
        return EPOCH + dt.timedelta(seconds=seconds)
    except OverflowError as error:
        raise InvalidMessage(
            "timestamp", f"timestamp is no number of seconds since 1970: {seconds:g}. Send seconds, not milliseconds."
        ) from error
