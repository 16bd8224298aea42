"""The stream of new readings to browsers.

One watcher in each web process asks the database for new readings, however many browsers listen;
each browser has a queue that holds the newest reading only, so that a slow one holds nobody up.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Set
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from accounts.access import Residence
from metering.models import Reading, meters_of

LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
MOST_AT_ONCE = 5000


@dataclass(eq=False)
class Subscriber:
    """One browser and the meters of its apartment."""

    meters: frozenset[int]
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Watcher:
    """Wakes the subscribers whose meters have new readings. Runs while there are any."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self._last_id = 0

    @contextlib.asynccontextmanager
    async def subscribe(self, meters: frozenset[int]) -> AsyncIterator[Subscriber]:
        """A subscriber for as long as the block lasts."""
        subscriber = Subscriber(meters)
        self._subscribers.add(subscriber)
        if self._task is None or self._task.done():
            self._last_id = await sync_to_async(_newest_id)()
            self._task = asyncio.create_task(self._watch())
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    async def _watch(self) -> None:
        try:
            while self._subscribers:
                meters, self._last_id = await sync_to_async(_meters_since)(self._last_id)
                self._wake(meters)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            # Where the database failed the subscribers find out for themselves; browsers come again.
            self._wake(frozenset().union(*(subscriber.meters for subscriber in self._subscribers)))

    def _wake(self, meters: Set[int]) -> None:
        for subscriber in self._subscribers:
            if subscriber.meters & meters:
                subscriber.woken.set()


watcher = Watcher()


async def stream(residence: Residence, event_now: Callable[[], dict[str, object] | None]) -> AsyncIterator[str]:
    """Server-sent events for one household: `event_now` says what is new, None where nothing may be shown."""
    meters = await sync_to_async(_meters_of)(residence)
    async with watcher.subscribe(meters) as subscriber:
        subscriber.woken.set()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(subscriber.woken.wait(), HEARTBEAT_SECONDS)
            subscriber.woken.clear()
            event = await sync_to_async(event_now)()
            if event is None:
                return
            yield f"event: reading\ndata: {json.dumps(event)}\n\n"


def _newest_id() -> int:
    close_old_connections()
    return Reading.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _meters_since(last_id: int) -> tuple[Set[int], int]:
    close_old_connections()
    rows = list(Reading.objects.filter(pk__gt=last_id).order_by("pk").values_list("pk", "meter_id")[:MOST_AT_ONCE])
    return {meter for _, meter in rows}, rows[-1][0] if rows else last_id


def _meters_of(residence: Residence) -> frozenset[int]:
    return frozenset(meter.pk for meter in meters_of(residence))
