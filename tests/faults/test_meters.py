"""Meters and apartments change while readings stream in."""

import time

import pytest

from tests.faults.publisher import reading
from tests.faults.trial import LAST
from tests.waiting import wait_for

pytestmark = pytest.mark.fault

PRELUDE = """
import datetime as dt
from django.db import transaction
from metering.models import Meter
"""
MISPLACED = """SELECT r.id FROM metering_reading r JOIN metering_meter m ON m.id = r.meter_id
    WHERE r.taken_at < m.installed_at OR r.taken_at >= m.removed_at"""


def manage(trial, code):
    """What a manager does in the admin."""
    trial.house.manage("shell", "-v", "0", "-c", PRELUDE + code)


def on(topic):
    """Readings that are published to this topic."""
    return lambda number, attempt: (topic, reading(number, attempt)[1])


def numbers_of(trial, serial):
    rows = trial.house.query(
        "SELECT r.power FROM metering_reading r JOIN metering_meter m ON m.id = r.meter_id WHERE m.serial = ?"
        " ORDER BY r.id", serial
    )  # fmt: skip
    return [round(power) for (power,) in rows]


@pytest.mark.timeout(120)
def test_two_meters_of_one_apartment(trial):
    readings, probe = 4_000, LAST - 1
    listener = trial.listen()
    manage(trial, """
native = Meter.objects.get(apartment__number="101")
native.serial = "native"
native.save()
Meter.objects.create(building=native.building, apartment=native.apartment, topic="house/heat-pump", serial="pump",
                     installed_at=native.installed_at)
""")  # fmt: skip

    def heard():
        trial.publish([probe], on("house/heat-pump"))
        return numbers_of(trial, "pump")

    wait_for(heard, "the new meter's topic is subscribed with the next heartbeat")
    pump = trial.stream(range(readings, 2 * readings), rate=1000, message=on("house/heat-pump"))
    trial.publish(range(readings), on("electricity/house/floor/101"))
    pump.finish()
    trial.drain()
    trial.house.execute(f"DELETE FROM metering_reading WHERE power = {probe}")
    assert numbers_of(trial, "native") == list(range(readings))
    assert numbers_of(trial, "pump") == list(range(readings, 2 * readings))
    trial.finish(2 * readings, listener)


@pytest.mark.timeout(120)
def test_meter_replaced_in_the_middle_of_the_stream(trial):
    readings = 6_000
    topic = on("electricity/house/floor/101")
    listener = trial.listen()
    publisher = trial.stream(range(readings), rate=1000, message=topic)
    trial.wait_until_stored(1_000)
    manage(trial, """
with transaction.atomic():
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    old = Meter.objects.get(apartment__number="101")
    old.serial, old.removed_at = "old", moment
    old.save()
    Meter.objects.create(building=old.building, apartment=old.apartment, serial="new", installed_at=moment)
""")  # fmt: skip
    trial.faults += 1
    publisher.finish()
    until = time.monotonic() + 2
    wait_for(lambda: time.monotonic() > until, "the new meter is installed")
    trial.publish(range(readings, 2 * readings), topic)
    trial.drain()
    old, new = numbers_of(trial, "old"), numbers_of(trial, "new")
    assert old + new == list(range(2 * readings))
    assert len(old) > 1_000
    assert len(new) >= readings
    assert trial.count(MISPLACED) == 0
    trial.finish(2 * readings, listener)


@pytest.mark.timeout(120)
def test_apartment_made_while_its_meter_publishes(trial):
    readings = 4_000
    topic = on("electricity/house/floor/401")
    listener = trial.listen()
    publisher = trial.stream(range(readings), rate=1000, message=topic)
    wait_for(lambda: trial.state()["rejected"] > 500, "readings of nobody are refused")
    trial.house.import_apartments("401")
    published = len(publisher.acknowledged)
    trial.faults += 1
    publisher.finish()
    trial.publish(range(readings, 2 * readings), topic)
    trial.drain()
    refused = trial.state()["rejected"]
    assert refused <= published, "from the moment the apartment is there, nothing is refused"
    assert trial.stored() == set(range(refused, 2 * readings))
    trial.finish(2 * readings - refused, listener)
