"""A household's month beside the other households of its house, where that betrays none of them."""

import datetime as dt
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import NamedTuple

from django.core.cache import cache
from django.utils.translation import gettext as _

from accounts.access import Residence
from accounts.models import Building, Tenancy
from metering.house.usage import usage_by_apartment
from metering.periods import DAY

FEWEST_OTHERS = 10
LARGEST_SHARE = 0.15
KNOWN = 0.9
"""Who is compared was measured for that share of the time at least."""
KEPT_SECONDS = 3600


@dataclass(frozen=True)
class Comparison:
    """This household and the median of the others, over the same local days, in kWh or kWh per m2.

    `reason` says why there is none; then the figures are 0.
    """

    first: dt.date
    last: dt.date
    """The last day that counts."""
    own: float = 0.0
    others: float = 0.0
    number: int = 0
    per_area: bool = False
    reason: str = ""

    @property
    def decimals(self) -> int:
        """How exactly the figures are shown: not so that they would tell of a single household."""
        return 1 if self.per_area else 0


class Household(NamedTuple):
    """One apartment that the same people lived in all that time."""

    apartment: int
    energy: int
    """mWh"""
    known: float
    area: float | None


def compare(residence: Residence, today: dt.date) -> Comparison:
    """The month up to yesterday; on its first day, the month before."""
    first = (today - DAY).replace(day=1)
    span = partial(Comparison, first, today - DAY)
    households = [household for household in _households(residence.building, first, today) if household.known >= KNOWN]
    own = next((h for h in households if h.apartment == residence.apartment.pk), None)
    if own is None or residence.tenancy.moved_in > first or residence.has_ended:
        return span(reason=_("it needs readings of yours from nearly all of that time"))
    others = [household for household in households if household is not own]
    if len(others) < FEWEST_OTHERS:
        reason = _("it needs %(number)d other households with readings from all that time")
        return span(reason=reason % {"number": FEWEST_OTHERS})
    total = sum(household.energy for household in others)
    if total == 0 or max(household.energy for household in others) > LARGEST_SHARE * total:
        return span(reason=_("one household uses so much of it all that the figure would tell of that one"))
    per_area = all(household.area for household in households)
    figures = [_figure(household, per_area) for household in others]
    return span(own=_figure(own, per_area), others=median(figures), number=len(others), per_area=per_area)


def _figure(household: Household, per_area: bool) -> float:
    kwh = household.energy / 1_000_000
    return kwh / household.area if per_area and household.area else kwh


def _households(building: Building, first: dt.date, end: dt.date) -> list[Household]:
    """Kept for an hour: counting a large house for each of its residents would take as long as the house is large."""
    key = f"households-{building.pk}-{first}-{end}"
    rows: list[tuple[int, int, float, float | None]] | None = cache.get(key)
    if rows is None:
        # Plain values: another version of Riser may read them.
        rows = [(h.apartment, h.energy, h.known, h.area) for h in _count(building, first, end)]
        cache.set(key, rows, KEPT_SECONDS)
    return [Household(*row) for row in rows]


def _count(building: Building, first: dt.date, end: dt.date) -> list[Household]:
    lasting = Tenancy.objects.filter(apartment__building=building, moved_in__lte=first).exclude(moved_out__lt=end)
    occupied = {tenancy.apartment_id: tenancy.apartment for tenancy in lasting.select_related("apartment")}
    usages = usage_by_apartment(building, first, end)
    return [
        Household(pk, whole.energy, whole.known or 0.0, float(home.area) if home.area else None)
        for pk, home in occupied.items()
        for whole in usages[pk]
    ]
