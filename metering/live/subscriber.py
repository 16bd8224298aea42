"""One open page: what it may see, and what it has not been sent yet."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass, field

from accounts.access import Residence
from accounts.rights import Visitor
from metering.live import events
from metering.models import Reading
from metering.power_data import data_of
from metering.status import BrokerLamp, ListenerLamp, Status, meter_lamp

HEARTBEAT_SECONDS = 15.0
REPLAYED = 600
"""Readings that are told again after a drop."""
QUEUE = REPLAYED + 200
"""Events that wait for a slow browser. Who has more to catch up with comes again, and says where it stood."""


@dataclass(eq=False)
class Subscriber:
    """One open page: whose it is, what it may see, and what it has not been sent yet."""

    visitor: Visitor
    residence: Residence
    right: Hashable
    latest: Reading | None
    status: Status
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    told_at: float = field(default_factory=time.monotonic)
    _begun_with: set[int] = field(default_factory=set)
    """Readings that were told as it began, and that the next round may bring again."""
    _waiting: list[str] = field(default_factory=list)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_behind(self) -> bool:
        """Whether more waits than one that reads would leave."""
        return len(self._waiting) >= QUEUE

    async def texts(self) -> AsyncIterator[str]:
        """What it is told, until it ends."""
        while not self.ended.is_set():
            await self._woken.wait()
            self._woken.clear()
            if self._waiting and not self.ended.is_set():
                text, self._waiting = "".join(self._waiting), []
                yield text

    def tell(self, text: str) -> None:
        """Have this sent, unless too much is waiting already: then it ends."""
        self.told_at = time.monotonic()
        if self.is_behind:
            self.end()
        else:
            self._waiting.append(text)
            self._woken.set()

    def end(self) -> None:
        """Tell nothing any more, not even what waits."""
        self.ended.set()
        self._woken.set()

    def begin(self, missed: Sequence[Reading] | None, number: int, now: dt.datetime) -> None:
        """Tell what was missed, and how things stand."""
        self.tell(events.retry())
        if missed is None:
            self.tell(events.missed())
        for reading in missed or ():
            self._tell_of(reading, number, now)
        self._tell_of(self.latest, number, now)
        self._begun_with = {reading.pk for reading in (*(missed or ()), self.latest) if reading}

    def deliver(self, reading: Reading, number: int, now: dt.datetime) -> None:
        """Tell of a reading if it is the household's own, and was not told already."""
        if reading.pk in self._begun_with or not self._is_shown(reading):
            return
        if self.latest is None or reading.taken_at > self.latest.taken_at:
            self.latest = reading
        self.status = Status(self.status.listener, self.status.broker, meter_lamp(self.latest, now))
        self._tell_of(reading, number, now)

    def _is_shown(self, reading: Reading) -> bool:
        return self.residence.covers(reading.taken_at) and self.residence.meter in {None, reading.meter_id}

    def _tell_of(self, reading: Reading | None, number: int, now: dt.datetime) -> None:
        data = data_of(self.residence, reading, now, self.status).as_json()
        self.tell(events.reading(number, data | {"power_factor": reading.power_factor if reading else None}))

    def check_lamps(self, listener: ListenerLamp, broker: BrokerLamp, now: dt.datetime) -> None:
        """Tell where a lamp changed, and where nothing was told for long."""
        status = Status(listener, broker, meter_lamp(self.latest, now))
        if status != self.status or time.monotonic() - self.told_at >= HEARTBEAT_SECONDS:
            self.status = status
            self.tell(events.status(status.as_json()))
