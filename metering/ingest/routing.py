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

Place = tuple[str, str]
"""A building's slug and an apartment's number."""

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
        self._by_place: defaultdict[Place, list[Installed]] = defaultdict(list)
        self._known_buildings: set[str] = set()
        self._only_building = DEFAULT_BUILDING
        self._find_by_topic({item.delivery.topic for item in batch if item.address is None})
        addresses = {item.address for item in batch if item.address is not None}
        if any(address.building is None for address in addresses):
            self._only_building = _only_building()
        self._find_by_place({self._place(address) for address in addresses})

    def meter_of(self, item: Accepted, taken_at: dt.datetime) -> int:
        """The id of the meter that measured this. Raises InvalidMessage where there is none."""
        meters = self._meters_at(self._place(item.address)) if item.address else self._by_topic[item.delivery.topic]
        for meter in meters:
            if meter.covers(taken_at):
                return meter.meter_id
        raise InvalidMessage(
            "no_meter", f"No meter was installed there at {taken_at:%Y-%m-%d %H:%M:%S} UTC, the time of the reading."
        )

    def _place(self, address: Address) -> Place:
        """A flat topic names no building: the only one there is, else the default one."""
        return address.building or self._only_building, address.apartment

    def _meters_at(self, place: Place) -> list[Installed]:
        if place in self._by_place:
            return self._by_place[place]
        slug, number = place
        if slug in self._known_buildings:
            raise InvalidMessage("unknown_apartment", f"There is no apartment {number[:32]} in building {slug}.")
        raise InvalidMessage("unknown_building", f"There is no building {slug[:32]}.")

    def _find_by_topic(self, topics: set[str]) -> None:
        rows = Meter.objects.filter(topic__in=topics).values_list("topic", "pk", "installed_at", "removed_at")
        for topic, pk, since, until in rows if topics else ():
            self._by_topic[topic].append(Installed(pk, since, until))

    def _find_by_place(self, places: set[Place]) -> None:
        """One query where all is as it was; more where a place has no meter, or does not exist."""
        self._collect(places)
        missing = places - self._by_place.keys()
        if not missing:
            return
        slugs, numbers = {slug for slug, _ in missing}, {number for _, number in missing}
        self._known_buildings = set(Building.objects.filter(slug__in=slugs).values_list("slug", flat=True))
        found = Apartment.objects.filter(building__slug__in=slugs, number__in=numbers).select_related("building")
        bare = {(flat.building.slug, flat.number): flat for flat in found}
        if bare := {place: bare[place] for place in missing & bare.keys()}:
            self._equip(list(bare.values()))
            # From here on a place that exists, whatever comes of the meter.
            self._by_place.update({place: [] for place in bare})
            self._collect(set(bare))

    def _equip(self, apartments: list[Apartment]) -> None:
        try:
            with transaction.atomic():
                Meter.objects.ensure_native(apartments)
        except IntegrityError:
            # Another listener, or the manager, has just done it: that meter is the one to find.
            log.info("an apartment's meter was made by somebody else in the same moment")

    def _collect(self, places: set[Place]) -> None:
        slugs, numbers = {slug for slug, _ in places}, {number for _, number in places}
        rows = Meter.objects.filter(topic="", apartment__building__slug__in=slugs, apartment__number__in=numbers)
        columns = ("apartment__building__slug", "apartment__number", "pk", "installed_at", "removed_at")
        for slug, number, pk, since, until in rows.order_by().values_list(*columns) if places else ():
            if (slug, number) in places:
                self._by_place[slug, number].append(Installed(pk, since, until))


def _only_building() -> str:
    slugs = list(Building.objects.values_list("slug", flat=True)[:2])
    return slugs[0] if len(slugs) == 1 else DEFAULT_BUILDING
