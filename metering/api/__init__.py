"""The JSON that the dashboard's script and other programs read. Its documentation is at /api/docs."""

from typing import Annotated, Any, Literal

from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Body, Field, NinjaAPI, Schema, Status
from ninja.parser import Parser
from ninja.security import django_auth
from pydantic import BaseModel

from accounts.access import user_of
from accounts.text import HIDDEN
from metering.api.curves import router as curves_router
from metering.api.docs import ApiDocs
from metering.api.energy import router as energy_router
from metering.api.problems import READ_PROBLEMS, InvalidOut, ProblemOut
from metering.choice import load_choice
from metering.models import Reading
from metering.models.reading import NOT_SAVED
from metering.power_data import iso_utc, power_data


class JsonOrForm(Parser):
    """Takes what a script sends as JSON, and what a plain HTML form sends."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return request.POST.dict()
        return super().parse_body(request)


api = NinjaAPI(
    parser=JsonOrForm(),
    title="Riser",
    version="1",
    description="Electricity of your own apartment. Log in first; a POST needs the CSRF token in X-CSRFToken. "
    "If you have several apartments, apartment=BUILDING/NUMBER in the query chooses one; meter=NUMBER chooses one of "
    "its meters. The dashboard's switch leads to these names.",
    auth=django_auth,
    # Else its page shows this site's address to validator.swagger.io.
    docs=ApiDocs(settings={"validatorUrl": None}),
    docs_decorator=login_required,
    urls_namespace="api",
)


class StatusOut(Schema):
    """The way of a reading: listener, broker, meter."""

    listener: Literal["up", "down"]
    broker: Literal["connected", "disconnected"]
    meter: Literal["live", "stale", "silent"]


class PowerDataOut(Schema):
    """The latest reading of your apartment; measured fields are null where there is none yet."""

    apartment: str
    floor: str
    voltage: float | None = Field(description="V")
    current: float | None = Field(description="A; below zero is export")
    power: float | None = Field(description="W; below zero is export")
    timestamp: str | None = Field(description="When it was measured, ISO 8601, UTC")
    age_seconds: float | None = Field(description="s since then")
    status: StatusOut


class SaveIn(BaseModel):
    """What to remember about the reading."""

    # No ninja Schema: that one takes a list or a number for an object without attributes.

    note: str = Field("", max_length=120, pattern=f"^[^{HIDDEN}]*$")


class SavedOut(Schema):
    """The reading that is kept now."""

    id: int
    apartment: str
    floor: str
    voltage: float = Field(description="V")
    current: float = Field(description="A")
    power: float = Field(description="W")
    timestamp: str = Field(description="When it was measured, ISO 8601, UTC")
    saved_at: str
    note: str


# 400: the body is no JSON. 403: the CSRF token is missing. 409: there is nothing to save yet. 413: too much was sent.
WRITE_PROBLEMS = READ_PROBLEMS | {400: ProblemOut, 403: ProblemOut, 409: ProblemOut, 413: ProblemOut, 422: InvalidOut}

UNDO_PROBLEMS = READ_PROBLEMS | {403: ProblemOut, 422: InvalidOut}
MOST = 2**63
"""What no database takes for a number."""


@api.exception_handler(RequestDataTooBig)
def too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    """Ninja reads the body before it looks after errors."""
    return api.create_response(request, {"detail": "This is too much for a note."}, status=413)


@api.get("/power-data", response={200: PowerDataOut} | READ_PROBLEMS, summary="The latest reading")
def get_power_data(request: HttpRequest) -> dict[str, Any]:
    """Your apartment's latest reading and the state of its way here."""
    return power_data(load_choice(request), timezone.now()).as_json()


@api.post("/save-reading", response={201: SavedOut} | WRITE_PROBLEMS, summary="Keep the latest reading")
def save_reading(request: HttpRequest, body: Annotated[SaveIn | None, Body()] = None) -> Status[dict[str, Any]]:
    """Keep the latest reading, with a note: it outlives the time for which readings are stored."""
    residence = load_choice(request)
    reading = Reading.objects.latest_of(residence)
    if reading is None:
        return Status(409, {"detail": "There is no reading to save yet: the meter has not sent one."})
    now = timezone.now()
    reading.save_for(user_of(request), body.note if body else "", now)
    saved = {
        "id": reading.pk,
        "apartment": residence.apartment.number,
        "floor": residence.apartment.floor,
        "voltage": reading.voltage,
        "current": reading.current,
        "power": round(reading.power, 3),
        "timestamp": iso_utc(reading.taken_at),
        "saved_at": iso_utc(reading.saved_at or now),
        "note": reading.note,
    }
    return Status(201, saved)


@api.delete("/saved-readings/{number}", response={204: None} | UNDO_PROBLEMS, summary="Keep a reading no longer")
def forget_reading(request: HttpRequest, number: int) -> Status[dict[str, str] | None]:
    """Take the mark and the note off a reading of your household's: it goes when its time is over."""
    saved = Reading.objects.of(load_choice(request)).saved()
    if not (abs(number) < MOST and saved.filter(pk=number).update(**NOT_SAVED)):
        return Status(404, {"detail": "Your household has saved no such reading."})
    return Status(204, None)


api.add_router("", curves_router)
api.add_router("", energy_router)
