"""Two buildings, everybody who may come to the door, and what each of them has that is nobody else's business.

House: in 101 lives `resident`; from 102 `former` moved out, for two days nobody lived there, then
`next` moved in and leaves in a week to `future`; in 201 lives `neighbour`, together with `both`, who
also lives in the other building with `stranger`; `pending` asked to join 102.
"""

import datetime as dt
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.test import Client

from accounts.models import AccessRecord, Apartment, Building, Invitation, JoinRequest, Tenancy, User
from metering.models import ListenerState, Meter, Reading, RejectedMessage
from tests.factories import (
    ApartmentFactory,
    BuildingFactory,
    ListenerStateFactory,
    MeterFactory,
    ReadingFactory,
    TariffFactory,
    TenancyFactory,
    password_hash,
)
from tests.fakes import NOON

TODAY = NOON.date()
DAY = dt.timedelta(days=1)

ROLES = (
    "anonymous", "disabled", "pending", "future", "resident", "next", "neighbour", "former", "manager",
    "other_manager", "superuser",
)  # fmt: skip
STAFF = ("manager", "other_manager", "superuser")

# Whose readings: what they say in W, and the days before today on which they were taken.
READINGS = {
    "resident": (1111.25, 0),
    "former": (2222.25, 11),
    "nobody": (3333.25, 9),
    "next": (4444.25, 0),
    "neighbour": (5555.25, 0),
    "main": (6666.25, 0),
    "stranger": (7777.25, 0),
}
HOUSE = {
    "pending", "future", "resident", "next", "neighbour", "both", "former", "disabled", "manager", "nobody", "main",
}  # fmt: skip
# The other building's name is known to who may register there.
ELSEWHERE = {"stranger", "both", "other_manager", "elsewhere", "name"}
EVERYBODY = HOUSE | ELSEWHERE | {"superuser"}

# Whose secrets a role may see. Everybody may see their own; a household those who belong to it and the address of
# the manager who looked at its readings.
MAY_SEE = {role: {role} for role in ROLES} | {
    "anonymous": {"name"}, "disabled": {"name"}, "resident": {"resident", "disabled"},
    "neighbour": {"neighbour", "both"}, "next": {"next", "manager"},
    "manager": HOUSE, "other_manager": ELSEWHERE, "superuser": EVERYBODY,
}  # fmt: skip


def address(owner: str) -> str:
    """The email address, which is no part of another one."""
    return f"{owner}@{owner}.test".replace("_", "-")


def readings_of(owner: str) -> list[str]:
    """How the readings of this owner look in pages and answers."""
    if owner not in READINGS:
        return []
    power = READINGS[owner][0]
    return [f"{power:.1f}", f"{power:.0f} W", f"oven of {owner}"]


def secrets_of(owner: str) -> list[str]:
    """What betrays this owner: readings, notes, the address, and for the other building its objects."""
    if owner == "name":
        return ["Other Court"]
    of_the_building = ["elsewhere/777", "serial-elsewhere", "floor-elsewhere", "Pacific/Auckland", "elsewhere/odd"]
    return [*readings_of(owner), address(owner), *(of_the_building if owner == "elsewhere" else [])]


def leaks(role: str, body: str) -> list[str]:
    """What is in this body and not for this role. Nobody ever sees a password's hash or an invitation's."""
    hidden = [secret for owner in EVERYBODY - MAY_SEE[role] for secret in secrets_of(owner)]
    return [secret for secret in [*hidden, "hash-of-", password_hash().rpartition("$")[2]] if secret in body]


@dataclass
class Cast:
    """The accounts, a logged-in client for each role, and an object of each model in either building."""

    people: dict[str, User] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    own: dict[str, Model] = field(default_factory=dict)
    foreign: dict[str, Model] = field(default_factory=dict)
    apartments: dict[str, Apartment] = field(default_factory=dict)
    tenancies: dict[str, Tenancy] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)

    def copy(self) -> "Cast":
        """The same people, who have the same objects in common; with clients of their own."""
        others = {}
        for client in self.clients.values():
            others[id(client)] = Client()
            others[id(client)].cookies = deepcopy(client.cookies)
        return deepcopy(self, others)


def gather() -> Cast:
    """Everybody at their place."""
    cast = Cast()
    _people(cast)
    house = BuildingFactory(slug="house", name="House", timezone="Europe/Berlin")
    other = BuildingFactory(slug="elsewhere", name="Other Court", timezone="Pacific/Auckland")
    house.managers.add(cast.people["manager"])
    other.managers.add(cast.people["other_manager"])
    for number, building, floor in (
        ("101", house, "1"),
        ("102", house, "1"),
        ("201", house, "2"),
        ("777", other, "floor-elsewhere"),
    ):
        cast.apartments[number] = ApartmentFactory(building=building, number=number, floor=floor)
    _households(cast)
    _readings(cast, house)
    cast.own = _objects(cast, house, "102", "next")
    cast.foreign = _objects(cast, other, "777", "stranger")
    cast.own["metering.listenerstate"] = ListenerStateFactory(
        started_at=NOON, heartbeat_at=NOON, broker_changed_at=NOON
    )
    _log_in(cast)
    return cast


def _people(cast: Cast) -> None:
    names = [*ROLES[1:], "both", "stranger"]
    users = [User(email=address(name), password=password_hash()) for name in names]
    cast.people = dict(zip(names, User.objects.bulk_create(users), strict=True))
    User.objects.filter(email=address("superuser")).update(is_superuser=True)


def _households(cast: Cast) -> None:
    households: list[tuple[str, str, dt.date, dt.date | None, list[str]]] = [
        ("resident", "101", TODAY - 400 * DAY, None, ["resident", "disabled"]),
        ("former", "102", TODAY - 400 * DAY, TODAY - 10 * DAY, ["former"]),
        ("next", "102", TODAY - 8 * DAY, TODAY + 7 * DAY, ["next"]),
        ("future", "102", TODAY + 7 * DAY, None, ["future"]),
        ("neighbour", "201", TODAY - 400 * DAY, None, ["neighbour", "both"]),
        ("stranger", "777", TODAY - 400 * DAY, None, ["stranger", "both"]),
    ]
    for name, number, moved_in, moved_out, residents in households:
        tenancy = TenancyFactory(apartment=cast.apartments[number], moved_in=moved_in, moved_out=moved_out)
        tenancy.residents.set([cast.people[resident] for resident in residents])
        cast.tenancies[name] = tenancy


def _readings(cast: Cast, house: Building) -> None:
    meters = {number: MeterFactory(apartment=apartment) for number, apartment in cast.apartments.items()}
    meters["777"].serial = "serial-elsewhere"
    meters["777"].save()
    meters["main"] = Meter.objects.create(building=house, topic="house/main", installed_at=NOON - 900 * DAY)
    where = {"resident": "101", "former": "102", "nobody": "102", "next": "102", "neighbour": "201", "stranger": "777"}
    for owner, (power, days) in READINGS.items():
        cast.readings[owner] = ReadingFactory(
            meter=meters[where.get(owner, "main")], taken_at=NOON - days * DAY - dt.timedelta(minutes=1), power=power,
            saved_at=NOON, saved_by=cast.people.get(owner), note=f"oven of {owner}",
        )  # fmt: skip


def _objects(cast: Cast, building: Building, number: str, household: str) -> dict[str, Model]:
    apartment, tenancy, person = cast.apartments[number], cast.tenancies[household], cast.people[household]
    applicant = cast.people["pending" if building.slug == "house" else "stranger"]
    rejected = RejectedMessage(
        received_at=NOON, topic=f"{building.slug}/odd", building=building, payload=b"x", reason="odd"
    )
    rejected.save()
    return {
        "accounts.building": building,
        "accounts.apartment": apartment,
        "accounts.tenancy": tenancy,
        "accounts.invitation": Invitation.objects.create(
            tenancy=tenancy, token_hash=f"hash-of-{building.slug}", created_by=person, used_by=person
        ),
        "accounts.joinrequest": JoinRequest.objects.create(user=applicant, apartment=apartment),
        "accounts.user": person,
        "accounts.accessrecord": AccessRecord.objects.create(
            tenancy=tenancy,
            viewer=building.managers.get(),
            role="manager",
            what="list",
            hour=NOON,
            first_at=NOON,
            last_at=NOON,
        ),
        "metering.meter": apartment.meters.get(),
        "metering.reading": cast.readings[household],
        "metering.rejectedmessage": rejected,
        "metering.tariff": TariffFactory(building=building, currency="NZD" if building.slug == "elsewhere" else "EUR"),
    }


def _log_in(cast: Cast) -> None:
    cast.clients["anonymous"] = Client()
    for role in ROLES[1:]:
        cast.people[role].refresh_from_db()
        cast.clients[role] = Client()
        cast.clients[role].force_login(cast.people[role])
    User.objects.filter(email=address("disabled")).update(is_active=False)


def snapshot() -> dict[str, list[Any]]:
    """Every row of ours, to see whether an attack changed one."""
    models = [*apps.get_app_config("accounts").get_models(), *apps.get_app_config("metering").get_models()]
    models += [Tenancy.residents.through, Building.managers.through]
    return {
        model._meta.label_lower: list(model._default_manager.order_by("pk").values_list())
        for model in models
        if model not in {ListenerState, AccessRecord}
    }
