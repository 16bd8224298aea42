"""Which meter's reading it is, asked of the database once per batch so that it is never out of date."""

import datetime as dt
import logging
from collections import defaultdict
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from accounts.models import DEFAULT_BUILDING, Apartment, Building
from metering.ingest.decoders import InvalidMessage
from metering.ingest.delivery import Accepted
from metering.ingest.topics import Address
from metering.models import Meter

log = logging.getLogger("riser.listener")


@dataclass(slots=True, frozen=True)
class Installed:
    """A meter and the time it hung on the wall."""

    meter_id: int
    since: dt.datetime
    until: dt.datetime | None

    def covers(self, instant: dt.datetime) -> bool:
        return self.since <= instant and (self.until is None or instant < self.until)


class Routes:
    """The meters of one batch's topics."""

    def __init__(self, batch: list[Accepted]) -> None:
        self._by_topic: defaultdict[str, list[Installed]] = defaultdict(list)
        self._by_address: defaultdict[tuple[str, str], list[Installed]] = defaultdict(list)
        self._buildings: dict[str, int] = {}
        self._find_by_topic({item.delivery.topic for item in batch if item.address is None})
        addresses = {item.address for item in batch if item.address is not None}
        if addresses:
            self._buildings = dict(Building.objects.values_list("slug", "pk"))
            self._find_by_address(addresses)

    def meter_of(self, item: Accepted, taken_at: dt.datetime) -> int:
        """The id of the meter that measured this. Raises InvalidMessage where there is none."""
        meters = self._meters_at(item.address) if item.address else self._by_topic[item.delivery.topic]
        for meter in meters:
            if meter.covers(taken_at):
                return meter.meter_id
        raise InvalidMessage(
            "no_meter", f"No meter was installed there at {taken_at:%Y-%m-%d %H:%M:%S} UTC, the time of the reading."
        )

    def _meters_at(self, address: Address) -> list[Installed]:
        slug, number = self._slug(address), address.apartment
        if slug not in self._buildings:
            raise InvalidMessage("unknown_building", f"There is no building {slug[:32]}.")
        if (slug, number) not in self._by_address:
            raise InvalidMessage("unknown_apartment", f"There is no apartment {number[:32]} in building {slug}.")
        return self._by_address[slug, number]

    def _slug(self, address: Address) -> str:
        """A flat topic names no building: the only one there is, else the default one."""
        if address.building is not None:
            return address.building
        return next(iter(self._buildings)) if len(self._buildings) == 1 else DEFAULT_BUILDING

    def _find_by_topic(self, topics: set[str]) -> None:
        rows = Meter.objects.filter(topic__in=topics).values_list("topic", "pk", "installed_at", "removed_at")
        for topic, pk, since, until in rows if topics else ():
            self._by_topic[topic].append(Installed(pk, since, until))

    def _find_by_address(self, addresses: set[Address]) -> None:
        slugs = {self._slug(address) for address in addresses}
        apartments = Apartment.objects.filter(
            building__slug__in=slugs, number__in={address.apartment for address in addresses}
        )
        places = {pk: (slug, number) for pk, slug, number in apartments.values_list("pk", "building__slug", "number")}
        for place in places.values():
            self._by_address[place] = []
        self._collect(places)
        bare = {pk: place for pk, place in places.items() if not self._by_address[place]}
        if bare:
            self._equip(list(Apartment.objects.filter(pk__in=bare)))
            self._collect(bare)

    def _equip(self, apartments: list[Apartment]) -> None:
        try:
            with transaction.atomic():
                Meter.objects.ensure_native(apartments)
        except IntegrityError:
            # Another listener, or the manager, has just done it: that meter is the one to find.
            log.info("an apartment's meter was made by somebody else in the same moment")

    def _collect(self, places: dict[int, tuple[str, str]]) -> None:
        rows = Meter.objects.filter(apartment__in=places, topic="")
        for apartment, pk, since, until in rows.values_list("apartment", "pk", "installed_at", "removed_at"):
            self._by_address[places[apartment]].append(Installed(pk, since, until))
