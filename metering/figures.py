"""Figures as people read them."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from metering.usage import Cost

SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
CENT = Decimal("0.01")


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
