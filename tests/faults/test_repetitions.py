"""What a broker brings again and again, and what it does not keep at all."""

import datetime as dt
import json
import time

import pytest
from django.utils import timezone

from metering.ingest.decoders import Limits
from metering.ingest.listener import Listener, build_client
from metering.ingest.loop import Loop
from metering.ingest.store import DatabaseStore
from metering.models import ListenerState, Meter, Reading
from tests.faults.publisher import APARTMENTS, reading
from tests.waiting import wait_for

pytestmark = pytest.mark.fault

FILTER = "electricity/+/floor/+"
RECONNECTS = 100


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(120)
def test_retained_messages_over_100_reconnects(broker, meter, record_property):
    minute_ago = (timezone.now() - dt.timedelta(minutes=1)).isoformat()
    broker.publish("electricity/house/floor/101", '{"voltage": 230, "current": 2}', "-r")
    Meter.objects.create(building=meter.building, topic="house/main", installed_at=meter.installed_at)
    broker.publish("house/main", json.dumps({"voltage": 230, "current": 2, "timestamp": minute_ago}), "-r")
    client = build_client("listener", "", "", None)
    listener = Listener(client, "127.0.0.1", broker.port, FILTER, time.monotonic, timezone.now)
    loop = Loop(listener, DatabaseStore("listener", timezone.now), time.monotonic, "", Limits())

    def received(count):
        loop.step(0.05)
        return ListenerState.objects.get().received >= count

    for number in range(1, RECONNECTS + 1):
        wait_for(lambda count=2 * number: received(count), "both retained messages come")
        listener.close()
    state = ListenerState.objects.get()
    record_property(
        "figures",
        {
            "published": 2,
            "stored": Reading.objects.count(),
            "distinct": Reading.objects.values("power").distinct().count(),
            "recognised": state.duplicates,
            "faults": RECONNECTS,
        },
    )
    assert Reading.objects.count() == 1, "the one with a time of its own"
    assert state.ignored == RECONNECTS
    assert state.duplicates == RECONNECTS - 1


@pytest.mark.timeout(120)
def test_qos_0_is_stored_and_warned_of_once_a_meter(trial):
    readings = 300
    listener = trial.listen()
    trial.stream(range(readings), rate=1000, message=reading, qos=0).finish()
    trial.finish(readings, listener)
    assert listener.said.count("publishes with QoS 0") == len(APARTMENTS)
