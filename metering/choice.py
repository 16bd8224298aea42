"""Of several apartments and meters, the one that a household looks at: where every page of figures begins.

The address holds the choice, so that it can be kept and sent: `apartment` says which apartment, `meter` which of its
meters. What is not theirs is not there.
"""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.access import CHOICE, Residence, find_residence, fresh_residence, load_residence
from accounts.models import Tenancy
from accounts.rights import Visitor
from metering.models import DayTotal, Meter, meters_of

METER = "meter"


def load_choice(request: HttpRequest) -> Residence:
    """The household's own time in the apartment, and with the meter, that the request asks for.

    Raises Http404 where either is not theirs.
    """
    chosen = _narrowed(load_residence(request), request.GET.get(METER))
    if chosen is None:
        raise Http404("This is no meter of yours.")
    return chosen


def find_choice(request: HttpRequest) -> Residence | None:
    """The same; None for a visitor who lives nowhere and asks for nothing."""
    asks = CHOICE in request.GET or METER in request.GET
    return load_choice(request) if asks or find_residence(request) else None


def fresh_choice(visitor: Visitor) -> Residence | None:
    """The same for a page that stays open, asked of the database anew; None where it may not any more."""
    residence = fresh_residence(visitor.session_key, visitor.query)
    return residence and _narrowed(residence, QueryDict(visitor.query).get(METER))


def _narrowed(residence: Residence, asked: str | None) -> Residence | None:
    """The same household, of whose meters only that one counts; None where it has no such meter."""
    if asked is None:
        return residence
    meter = next((meter for meter in own_meters(residence) if str(meter.pk) == asked), None)
    if meter is None:
        return None
    query = urlencode({METER: asked})
    return replace(residence, meter=meter.pk, query=f"{residence.query}&{query}" if residence.query else query)


def own_meters(residence: Residence) -> list[Meter]:
    """The meters that were heard in the household's own time; a lone meter without being asked."""
    home = replace(residence, meter=None)
    meters = meters_of(home)
    if len(meters) < 2:
        return meters
    return [meter for meter in meters if DayTotal.objects.of(home).filter(meter=meter).exists()]


@dataclass(frozen=True)
class Option:
    """Something to look at: what it is called, until when it was there, and the query that leads to it."""

    title: str
    until: str
    query: str
    is_shown: bool


@dataclass(frozen=True)
class Switch:
    """Between apartments, and between the meters of the one that is shown. Empty where there is no choice."""

    apartments: list[Option]
    meters: list[Option]
    at_once: bool
    """Whether several of the meters measure now, so that energy is their sum."""
    meter: Meter | None
    """The one that is shown."""


def switch_of(residence: Residence, kept: dict[str, str]) -> Switch:
    """What one may look at instead; links keep these parameters."""
    meters = own_meters(residence)
    now = timezone.now()
    lasting = [meter for meter in meters if meter.removed_at is None or meter.removed_at > now]
    shown = next((meter for meter in meters if meter.pk == residence.meter), None)
    return Switch(
        apartments=_apartments(residence, kept) if len(residence.homes) > 1 else [],
        meters=_meters(residence, meters, kept) if len(meters) > 1 else [],
        at_once=len(lasting) > 1,
        meter=shown,
    )


def _apartments(residence: Residence, kept: dict[str, str]) -> list[Option]:
    several = len({home.apartment.building_id for home in residence.homes}) > 1
    return [
        Option(
            _name(home, several=several),
            date_format(home.moved_out, "DATE_FORMAT") if home.moved_out and home.has_ended else "",
            urlencode({CHOICE: str(home.apartment)} | kept, safe="/"),
            home.apartment_id == residence.apartment.pk,
        )
        for home in residence.homes
    ]


def _name(home: Tenancy, *, several: bool) -> str:
    number, building = home.apartment.number, home.apartment.building.name
    return f"{building}, {number}" if several else number


def _meters(residence: Residence, meters: list[Meter], kept: dict[str, str]) -> list[Option]:
    home = {CHOICE: str(residence.apartment)} if CHOICE in QueryDict(residence.query) else {}
    zone = residence.building.zone
    everything = Option(_("All meters"), "", urlencode(home | kept, safe="/"), residence.meter is None)
    return [everything] + [
        Option(
            meter.serial or _("No. {number}").format(number=meter.pk),
            date_format(meter.removed_at.astimezone(zone), "DATE_FORMAT") if meter.removed_at else "",
            urlencode(home | {METER: str(meter.pk)} | kept, safe="/"),
            meter.pk == residence.meter,
        )
        for meter in meters
    ]
