"""The machine's clock is set while readings stream in.

Order of receipt is the order of ids: instants are by a clock that somebody may set, ids are not.
"""

import datetime as dt
import time
from collections import deque

import pytest
from django.utils import timezone

from metering.ingest.decoders import Limits
from metering.ingest.listener import Listener, build_client
from metering.ingest.loop import Loop
from metering.ingest.store import DatabaseStore
from metering.models import ListenerState, Meter, Reading
from tests.factories import ApartmentFactory
from tests.faults.publisher import APARTMENTS, Publisher
from tests.waiting import wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

READINGS = 10_000
DAY = dt.timedelta(days=1)


class WallClock:
    """The time of day, until somebody sets it."""

    def __init__(self):
        self.offset = dt.timedelta()
        self.told = []
        self.repeats = deque()

    def __call__(self):
        now = self.repeats.popleft() if self.repeats else timezone.now() + self.offset
        self.told.append(now)
        return now

    def set(self, by):
        self.repeats.clear()
        self.offset += by

    def repeat(self, since):
        """Set it back so that it tells again just the instants that it told since then."""
        self.repeats.extend(self.told[since:])

    def stand_still(self):
        """Tell one instant, the last one, ever again."""
        self.repeats.extend(self.told[-1:] * READINGS)


# What is done to the clock, each after another part of the readings.
STEPS = [
    lambda clock: clock.set(-DAY),
    lambda clock: clock.set(+DAY),
    lambda clock: clock.repeat(0),
    lambda clock: clock.set(-dt.timedelta(seconds=0.7)),
    lambda clock: clock.set(-dt.timedelta(seconds=30)),
    lambda clock: clock.stand_still(),
    lambda clock: clock.set(-DAY),
    lambda clock: clock.repeat(-2000),
    lambda clock: clock.set(+2 * DAY),
    lambda clock: clock.set(-2 * DAY),
]


PART = READINGS // (2 * (len(STEPS) + 1))
"""At least so many readings come between two of these."""


@pytest.mark.timeout(120)
def test_clock_is_set_back_and_forth(broker, building, record_property):
    Meter.objects.ensure_native([ApartmentFactory(building=building, number=number) for number in APARTMENTS])
    clock, began = WallClock(), time.monotonic()
    listener = Listener(
        build_client("listener", "", "", None), "127.0.0.1", broker.port, "electricity/+/floor/+", time.monotonic, clock
    )
    loop = Loop(listener, DatabaseStore("listener", clock), time.monotonic, "", Limits())

    def stored(count):
        loop.step(0.05)
        state = ListenerState.objects.first()
        return state and state.stored >= count

    wait_for(lambda: stored(0) and listener.is_listening, "the listener is connected")
    publisher = Publisher(broker.port, range(READINGS), rate=1500)
    publisher.start()
    for step in STEPS:
        # Of what comes since the step before: on a busy machine much may come at once.
        before = ListenerState.objects.get().stored
        wait_for(lambda so_far=before: stored(min(so_far + PART, READINGS)), "a part is stored", 60)
        step(clock)
    wait_for(lambda: stored(READINGS), "all are stored", 60)
    publisher.finish()
    listener.close()
    state = ListenerState.objects.get()
    assert [round(power) for power in Reading.objects.order_by("pk").values_list("power", flat=True)] == list(
        range(READINGS)
    )
    record_property(
        "figures",
        {
            "published": READINGS,
            "stored": Reading.objects.count(),
            "distinct": Reading.objects.values("power").distinct().count(),
            "recognised": state.duplicates,
            "faults": len(STEPS),
            "seconds": round(time.monotonic() - began, 1),
        },
    )
    # What the broker sends again after a lost connection is recognised by its packet, whatever the clock says.
    assert (state.stored, state.rejected) == (READINGS, 0)
    assert Reading.objects.filter(taken_at__lt=timezone.now() - DAY / 2).count() > PART, "the clock was believed"
