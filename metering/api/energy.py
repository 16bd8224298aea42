"""Energy and money as JSON, in the same figures as the pages."""

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import AfterValidator, BeforeValidator

from accounts.models import plausible_date
from metering.api.problems import READ_PROBLEMS, InvalidOut, ProblemOut
from metering.choice import load_choice
from metering.periods import DAY, By, Period
from metering.usage import Cost, Subject, Usage, usage

MOST_PARTS = 1500
SECONDS = {By.HOUR: 3600, By.DAY: 86_400, By.WEEK: 7 * 86_400, By.MONTH: 30 * 86_400, By.YEAR: 365 * 86_400}
# 409: it would be too much at once.
TOO_MUCH = {409: ProblemOut, 422: InvalidOut}
router = Router()


def _plausible(date: dt.date) -> dt.date:
    """Nobody lived anywhere outside of these, and the calendar's own ends have no midnight in every time zone."""
    first, last = (validator.limit_value for validator in plausible_date)
    within: dt.date = min(max(date, first), last)
    return within


def _written(date: object) -> object:
    """Numbers would pass for Unix seconds."""
    if isinstance(date, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", date, re.ASCII):
        raise ValueError("This is no date, such as 2026-11-25.")
    return date


Day = Annotated[dt.date, BeforeValidator(_written), AfterValidator(_plausible)]


class CostOut(Schema):
    """What it costs, to the millionth, as text: JSON's numbers would not keep it exact."""

    currency: str
    energy: Decimal
    standing_charge: Decimal
    tax: Decimal
    total: Decimal


class RateUseOut(Schema):
    """What was used at one rate."""

    name: str
    price: Decimal = Field(description="For a kWh, without tax")
    energy_kwh: float


class UsageOut(Schema):
    """What was used between two instants."""

    begin: dt.datetime = Field(description="ISO 8601, with the building's offset from UTC")
    end: dt.datetime
    energy_kwh: float = Field(description="Taken from the grid")
    exported_kwh: float = Field(description="Given to the grid")
    bridged_kwh: float = Field(description="Of the energy: counted by the meter while no readings came")
    unpriced_kwh: float = Field(description="Of the energy: without a price")
    known: float | None = Field(description="Share of the time that readings cover; null where none is past")
    rates: list[RateUseOut]
    costs: list[CostOut] = Field(description="One for each currency")


@router.get("/energy", response={200: list[UsageOut]} | READ_PROBLEMS | TOO_MUCH, summary="Energy and cost")
def get_energy(
    request: HttpRequest,
    since: Annotated[Day, Query(description="First local day")],
    until: Annotated[Day, Query(description="Last local day")],
    by: Annotated[Literal["hour", "day", "week", "month", "year"], Query()] = "day",
) -> Any:
    """Your apartment's energy in local hours, days, weeks (from Monday), months or years, and what it costs.

    Parts of the time in which somebody else lived there are left out.
    """
    residence = load_choice(request)
    building = residence.building
    asked = Period(building.midnight(since), building.midnight(until + DAY))
    own = asked.within(residence.since, min(residence.until or asked.end, building.midnight(building.today() + DAY)))
    parts = By(by)
    if own.seconds > MOST_PARTS * SECONDS[parts]:
        return Status(
            409, {"detail": f"This would be more than {MOST_PARTS} parts. Ask for less time, or larger parts."}
        )
    found = usage(Subject.of_residence(residence), *own, parts) if own.seconds else []
    # Of time that was others' there is nothing to tell: not even that it is 0.
    return [_out(part, building.zone) for part in found if residence.during(*part.period).spans]


def _out(part: Usage, zone: dt.tzinfo) -> dict[str, Any]:
    return {
        "begin": part.period.begin.astimezone(zone),
        "end": part.period.end.astimezone(zone),
        "energy_kwh": part.energy / 1_000_000,
        "exported_kwh": part.exported / 1_000_000,
        "bridged_kwh": part.bridged / 1_000_000,
        "unpriced_kwh": part.unpriced / 1_000_000,
        "known": part.known,
        "rates": [
            {"name": use.rate.name, "price": use.rate.price, "energy_kwh": use.energy / 1_000_000}
            for use in part.rates.values()
        ],
        "costs": [_cost(cost) for cost in part.costs],
    }


def _cost(cost: Cost) -> dict[str, Any]:
    parts = {"energy": cost.energy, "standing_charge": cost.standing, "tax": cost.tax, "total": cost.total}
    return {"currency": cost.currency} | {name: round(amount, 6) for name, amount in parts.items()}
