"""The demo building: twenty apartments, their past, and some people to log in as."""

import datetime as dt
from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone

from accounts.models import DEFAULT_BUILDING, Apartment, Building, Tenancy, User
from metering.demo.energy import YEAR
from metering.demo.household import Household
from metering.models import Meter, Reading

PASSWORD = "riser-demo"
MANAGER = "manager@example.org"
RESIDENTS = {"101": "resident101@example.org", "201": "resident201@example.org"}
PAST = dt.timedelta(days=7)
STEP = dt.timedelta(minutes=1)


def make_building() -> Building:
    """The demo building with 20 apartments on 5 floors, made once."""
    building, _ = Building.objects.get_or_create(
        slug=DEFAULT_BUILDING, defaults={"name": "Demo House", "timezone": "Europe/Berlin", "is_demo": True}
    )
    numbers = [(f"{floor}{door:02}", str(floor)) for floor in range(1, 6) for door in range(1, 5)]
    for number, floor in numbers:
        Apartment.objects.get_or_create(building=building, number=number, defaults={"floor": floor})
    Meter.objects.ensure_native(list(building.apartments.all()))
    return building


def make_people(building: Building) -> None:
    """One manager, and a resident each in two apartments; all others are lived in by people without an account."""
    building.managers.add(_user(MANAGER))
    for apartment in building.apartments.all():
        _household(apartment)
    for number, email in RESIDENTS.items():
        apartment = building.apartments.get(number=number)
        _household(apartment).residents.add(_user(email))


def _household(apartment: Apartment) -> Tenancy:
    """Who lives there since before the past begins."""
    moved_in = apartment.building.today() - YEAR - PAST
    return apartment.tenancies.first() or Tenancy.objects.create(apartment=apartment, moved_in=moved_in)


def make_past(building: Building) -> Iterator[int]:
    """Seven days of readings, one a minute, for every meter without any. Yields how many are stored."""
    end = timezone.now().replace(second=0, microsecond=0)
    stored = 0
    for meter in Meter.objects.filter(building=building, apartment__isnull=False).select_related("apartment"):
        if meter.readings.exists():
            continue
        household = Household(str(meter.apartment), building.zone)
        rows = [_reading(meter, household, end - minute * STEP) for minute in range(PAST // STEP, 0, -1)]
        with transaction.atomic():
            Reading.objects.bulk_create(rows, batch_size=1000)
        stored += len(rows)
        yield stored


def save_some(building: Building) -> None:
    """A few saved readings with notes in the first resident's history."""
    number, email = next(iter(RESIDENTS.items()))
    readings = Reading.objects.filter(meter__apartment__building=building, meter__apartment__number=number)
    if readings.saved().exists():
        return
    highest, lowest = readings.order_by("-power").first(), readings.order_by("power").first()
    for reading, note in ((highest, "Oven and kettle at once"), (lowest, "Everything off but the fridge")):
        if reading:
            reading.saved_at, reading.saved_by, reading.note = timezone.now(), User.objects.get(email=email), note
            reading.save()


def _user(email: str) -> User:
    return User.objects.filter(email=email).first() or User.objects.create_user(email, PASSWORD)


def _reading(meter: Meter, household: Household, instant: dt.datetime) -> Reading:
    sample = household.sample(instant)
    return Reading(
        meter_id=meter.pk,
        taken_at=instant,
        voltage=sample.voltage,
        current=sample.current,
        power=sample.power,
        power_factor=sample.power_factor,
    )
