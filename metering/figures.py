"""Figures as people read them."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from metering.usage import Cost

SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
CENT = Decimal("0.01")
UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def figure(value: float | None) -> str:
    """At least one and at most two decimals, such as 220.5 and 507.15; a dash where there is no value."""
    return "–" if value is None else f"{value:.2f}".removesuffix("0")


def kilowatt_hours(energy: int | None) -> str:
    """Energy in mWh as kWh: three figures that matter, such as 0.25, 7.31, 24.6 and 1,204; a dash for None."""
    if energy is None:
        return "–"
    value = energy / 1_000_000
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 999.95 else 0
    return f"{value:,.{decimals}f}"


def amount(value: Decimal, currency: str) -> str:
    """Money to the cent, such as €12.30 and 12.30 CHF."""
    text = f"{value.quantize(CENT, ROUND_HALF_UP):,}"
    return f"{SYMBOLS[currency]}{text}" if currency in SYMBOLS else f"{text} {currency}"


def costs(found: Sequence[Cost]) -> str:
    """What it costs in all, with tax; empty where nothing has a price."""
    return " + ".join(amount(cost.total, cost.currency) for cost in found)


def per_cent(share: float | None) -> str:
    """A share as whole per cent, rounded down: 100 % is all of it."""
    return "–" if share is None else f"{int(share * 100)} %"


def whole_watts(value: float | None) -> str:
    """Power such as 85 W and 1.2 kW; a dash for None."""
    if value is None:
        return "–"
    return f"{value / 1000:.1f} kW" if abs(value) >= 999.5 else f"{value:.0f} W"


def duration(seconds: float) -> str:
    """In the largest unit that fits, such as 12 seconds, 3 minutes, 2 hours and 5 days."""
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    number = int(seconds // size)
    return f"{number} {unit}{'' if number == 1 else 's'}"


def more_energy(energy: int) -> str:
    """A difference in mWh as kWh with its sign, such as +3.20."""
    return f"{_sign(energy)}{kilowatt_hours(abs(energy))}"


def more_money(value: Decimal, currency: str) -> str:
    """A difference in money with its sign, such as +€1.20."""
    cents = value.quantize(CENT, ROUND_HALF_UP)
    return f"{_sign(cents)}{amount(abs(cents), currency)}"


def more_per_cent(share: float) -> str:
    """A difference as whole per cent with its sign, such as +12 %."""
    number = round(100 * share)
    return f"{_sign(number)}{abs(number):,} %"


def _sign(value: float | Decimal) -> str:
    return "" if value == 0 else "−" if value < 0 else "+"
