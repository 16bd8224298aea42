"""Three honest lamps: is somebody listening, is the broker there, does the meter speak?"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from metering.models import ListenerState, Reading

ListenerLamp = Literal["up", "down"]
BrokerLamp = Literal["connected", "disconnected"]
MeterLamp = Literal["live", "stale", "silent"]


@dataclass(frozen=True)
class Status:
    """The state of the way a reading takes."""

    listener: ListenerLamp
    broker: BrokerLamp
    meter: MeterLamp

    @property
    def is_recording(self) -> bool:
        """Whether what meters send gets here: where it does not, nobody can say anything of a meter."""
        return self.listener == "up" and self.broker == "connected"

    @property
    def state(self) -> MeterLamp | Literal["interrupted"]:
        """In one word."""
        return self.meter if self.is_recording else "interrupted"

    def as_json(self) -> dict[str, str]:
        """The contract's fields."""
        return {"listener": self.listener, "broker": self.broker, "meter": self.meter}


def age_of(reading: Reading, now: dt.datetime) -> float:
    """Seconds since it was measured; 0 where the meter's clock runs ahead."""
    return _seconds_since(reading.taken_at, now)


def _seconds_since(instant: dt.datetime, now: dt.datetime) -> float:
    return max(0.0, (now - instant).total_seconds())


def status_for(latest: Reading | None, now: dt.datetime) -> Status:
    """The lamps for an apartment whose latest reading is this one."""
    listener, broker = listener_lamps()
    return Status(listener, broker, meter_lamp(latest, now))


def listener_lamps() -> tuple[ListenerLamp, BrokerLamp]:
    """The lamps that are the same for all apartments.

    With several listeners one that is up is enough, and the broker counts as connected where one
    that is up reaches it: a listener that is down does not know.
    """
    up = [listener for listener in ListenerState.objects.all() if listener.is_up]
    connected = any(listener.broker_connected for listener in up)
    return "up" if up else "down", "connected" if connected else "disconnected"


def meter_lamp(latest: Reading | None, now: dt.datetime) -> MeterLamp:
    """The lamp of an apartment whose latest reading is this one."""
    return "silent" if latest is None else lamp_at(latest.taken_at, now)


def lamp_at(taken_at: dt.datetime, now: dt.datetime) -> MeterLamp:
    """The lamp of a meter whose newest reading is of that instant."""
    age = _seconds_since(taken_at, now)
    if age <= settings.METER_LIVE_SECONDS:
        return "live"
    return "stale" if age <= settings.MAX_GAP_SECONDS else "silent"
