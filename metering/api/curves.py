"""Power and voltage over time as JSON, thinned out to what a screen can show."""

import datetime as dt
from typing import Annotated, Any

from annotated_types import Ge, Le
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from accounts.access import Residence
from metering.api.energy import Day
from metering.api.problems import READ_PROBLEMS, InvalidOut
from metering.choice import load_choice
from metering.history.lookback import curve_of, own_time
from metering.history.voltage import voltage_curve
from metering.models import Reading
from metering.periods import Period
from metering.power_data import iso_utc

RECENT = dt.timedelta(minutes=10)
MOST_RECENT = 1500
MOST_MARKS = 100
router = Router()

Second = Annotated[int, Ge(0), Le(32_503_680_000)]
"""Up to the year 3000."""
First = Annotated[Day | None, Query(description="First local day; without it, from moving in")]
Last = Annotated[Day | None, Query(description="Last local day; without it, up to today")]
Begin = Annotated[Second | None, Query(description="Unix seconds: only what is measured from then on")]
End = Annotated[Second | None, Query(description="Unix seconds: only what is measured before then")]


class MarkOut(Schema):
    """A saved reading."""

    time: float = Field(description="Unix seconds at which it was measured")
    power: float = Field(description="W")
    note: str


class CurveOut(Schema):
    """Power over time, thinned out: one entry per bucket, null where nothing was measured."""

    step: int = Field(description="s, width of a bucket")
    times: list[int] = Field(description="Unix seconds at which the buckets begin")
    low: list[float | None] = Field(description="W, lowest of the bucket; null, too, where buckets are days")
    mean: list[float | None] = Field(description="W, mean of the bucket")
    peak: list[float | None] = Field(description="W, highest of the bucket")
    saved: list[MarkOut] = Field(description="The newest saved readings of that time, at most 100")


class VoltageOut(Schema):
    """Voltage over time, thinned out: one entry per bucket, null where nothing was measured."""

    step: int = Field(description="s, width of a bucket")
    times: list[int] = Field(description="Unix seconds at which the buckets begin")
    low: list[float | None] = Field(description="V, lowest of the bucket")
    mean: list[float | None] = Field(description="V, mean of the bucket")
    high: list[float | None] = Field(description="V, highest of the bucket")


class RecentOut(Schema):
    """Readings, the oldest first."""

    timestamps: list[str] = Field(description="When they were measured, ISO 8601, UTC")
    power: list[float] = Field(description="W; below zero is export")


@router.get("/recent", response={200: RecentOut} | READ_PROBLEMS, summary="The last minutes, reading by reading")
def get_recent(request: HttpRequest) -> dict[str, Any]:
    """Your apartment's readings of the last ten minutes, at most 1,500 of them."""
    now = timezone.now()
    own = load_choice(request).during(now - RECENT, now + RECENT)
    newest = Reading.objects.of(own).order_by("-taken_at").values_list("taken_at", "power")
    rows = list(newest[:MOST_RECENT])[::-1]
    return {"timestamps": [iso_utc(taken_at) for taken_at, _ in rows], "power": [round(power, 3) for _, power in rows]}


@router.get("/curve", response={200: CurveOut} | READ_PROBLEMS | {422: InvalidOut}, summary="Power over time")
def get_curve(
    request: HttpRequest, since: First = None, until: Last = None, begin: Begin = None, end: End = None
) -> Any:
    """Your apartment's power in that time, thinned out to what a screen can show."""
    residence = load_choice(request)
    own = _asked(residence, since, until, begin, end)
    saved = Reading.objects.of(residence.during(*own)).saved().order_by("-taken_at")[:MOST_MARKS]
    marks = [{"time": mark.taken_at.timestamp(), "power": round(mark.power, 1), "note": mark.note} for mark in saved]
    return {**curve_of(residence, own), "saved": marks}


@router.get("/voltage", response={200: VoltageOut} | READ_PROBLEMS | {422: InvalidOut}, summary="Voltage over time")
def get_voltage(
    request: HttpRequest, since: First = None, until: Last = None, begin: Begin = None, end: End = None
) -> Any:
    """Your apartment's voltage in that time, thinned out to what a screen can show."""
    residence = load_choice(request)
    return voltage_curve(residence, _asked(residence, since, until, begin, end))


def _asked(
    residence: Residence, since: dt.date | None, until: dt.date | None, begin: int | None, end: int | None
) -> Period:
    """What of the household's own time is asked for."""
    own = own_time(residence, since, until)
    return own.within(_instant(begin) or own.begin, _instant(end) or own.end)


def _instant(second: int | None) -> dt.datetime | None:
    return None if second is None else dt.datetime.fromtimestamp(second, dt.UTC)
