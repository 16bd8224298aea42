"""Figures as people read them, in the language of the page."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import get_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from metering.overview import Projection
from metering.usage import Cost, Usage

SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
CENT = Decimal("0.01")
MINUTE, HOUR, DAY = 60, 3600, 86_400


def number(value: float | Decimal, decimals: int = 0, *, grouped: bool = False) -> str:
    """Rounded to so many decimals; with thousands apart where that is asked for."""
    text = f"{value:,.{decimals}f}" if grouped else f"{value:.{decimals}f}"
    point, thousands = get_format("DECIMAL_SEPARATOR"), get_format("THOUSAND_SEPARATOR")
    return text if point == "." else text.translate({ord("."): point, ord(","): thousands})


def count(value: int) -> str:
    """How many, with thousands apart."""
    return number(value, grouped=True)


def plain(value: Decimal) -> str:
    """Without zeros at the end, such as 0.3125 and 19."""
    return number(value, _decimals(value))


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))


def figure(value: float | None) -> str:
    """At least one and at most two decimals, such as 220.5 and 507.15; a dash where there is no value."""
    return "–" if value is None else number(value, 2).removesuffix("0")


def column(values: Sequence[float | None]) -> list[str]:
    """The figures of a column: all with as many decimals as one of them needs, one or two."""
    decimals = 2 if any(value is not None and not number(value, 2).endswith("0") for value in values) else 1
    return ["–" if value is None else number(value, decimals) for value in values]


def kilowatt_hours(energy: int | None, beside: int | None = None) -> str:
    """Energy in mWh as kWh: three figures that matter, such as 0.25, 7.31, 24.6 and 1,204; a dash for None.

    In a column with as many decimals as the largest one, `beside` it.
    """
    if energy is None:
        return "–"
    return number(energy / 1_000_000, energy_decimals(energy if beside is None else beside), grouped=True)


def energy_decimals(largest: int) -> int:
    """To how many decimals of a kWh energies in mWh are written where this is the largest of them."""
    size = abs(largest) / 1_000_000
    return 2 if size < 9.995 else 1 if size < 999.95 else 0


def amount(value: Decimal, currency: str) -> str:
    """Money to the cent, such as €12.30 and 12.30 CHF."""
    return _money(number(value.quantize(CENT, ROUND_HALF_UP), 2, grouped=True), currency)


def price(value: Decimal, currency: str) -> str:
    """Money with all its decimals, at least two, such as €0.30 and €0.3125."""
    return _money(number(value, max(2, _decimals(value)), grouped=True), currency)


def _money(amount: str, currency: str) -> str:
    words = {"amount": amount, "currency": currency}
    if currency not in SYMBOLS:
        return _("%(amount)s %(currency)s") % words
    return pgettext("with a symbol", "%(currency)s%(amount)s") % (words | {"currency": SYMBOLS[currency]})


def costs(found: Sequence[Cost]) -> str:
    """What it costs in all, with tax; empty where nothing has a price."""
    return " + ".join(amount(cost.total, cost.currency) for cost in found)


def energy_and_costs(found: Usage | Projection) -> str:
    """Such as 24.6 kWh, €12.30; without money where nothing has a price."""
    energy = f"{kilowatt_hours(found.energy)} kWh"
    return f"{energy}, {costs(found.costs)}" if found.costs else energy


def per_cent(share: float | None) -> str:
    """A share as whole per cent, rounded down: 100 % is all of it."""
    # Floating point makes 28.999999999999996 of 29: what is that close is no less.
    return "–" if share is None else f"{int(round(share * 100, 9))} %"


def whole_watts(value: float | None) -> str:
    """Power in at most three figures, such as 85 W and 1.2 kW; a dash for None."""
    if value is None:
        return "–"
    if abs(value) < 999.5:
        return f"{number(value)} W"
    return f"{number(value / 1000, 1 if abs(value) < 99_950 else 0)} kW"


def duration(seconds: float) -> str:
    """In the largest unit that fits, such as 12 seconds, 3 minutes, 2 hours and 5 days."""
    if seconds >= DAY:
        days = int(seconds // DAY)
        return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}
    if seconds >= HOUR:
        hours = int(seconds // HOUR)
        return ngettext("%(hours)d hour", "%(hours)d hours", hours) % {"hours": hours}
    if seconds >= MINUTE:
        minutes = int(seconds // MINUTE)
        return ngettext("%(minutes)d minute", "%(minutes)d minutes", minutes) % {"minutes": minutes}
    return ngettext("%(seconds)d second", "%(seconds)d seconds", int(seconds)) % {"seconds": int(seconds)}


def more_energy(energy: int, beside: int) -> str:
    """A difference in mWh as kWh with its sign, such as +3.2: with as many decimals as what is `beside` it."""
    size = round(energy / 1_000_000, energy_decimals(beside))
    return f"{_sign(size)}{kilowatt_hours(abs(energy), beside)}"


def more_money(value: Decimal, currency: str) -> str:
    """A difference in money with its sign, such as +€1.20."""
    cents = value.quantize(CENT, ROUND_HALF_UP)
    return f"{_sign(cents)}{amount(abs(cents), currency)}"


def more_per_cent(share: float) -> str:
    """A difference as whole per cent with its sign, such as +12 %."""
    number = round(100 * share)
    return f"{_sign(number)}{count(abs(number))} %"


def _sign(value: float | Decimal) -> str:
    return "" if value == 0 else "−" if value < 0 else "+"
