"""Whether readings come in."""

import datetime as dt
from collections.abc import Iterator

from django.conf import settings
from django.utils import timezone

from accounts.models import Building
from metering.doctor.finding import Finding
from metering.models import ListenerState, LoadProgress, Meter, Reading

LATE = dt.timedelta(minutes=30)
"""Readings should have been turned into energy by then."""


def check_listeners() -> Iterator[Finding]:
    """Whether somebody listens, and is heard."""
    listeners = list(ListenerState.objects.all())
    if not listeners:
        yield Finding("listener", "never ran", "Start manage.py mqtt_listen (systemctl start riser-listener).")
    for listener in listeners:
        if not listener.is_up:
            state, remedy = f"last seen {listener.heartbeat_at:%Y-%m-%d %H:%M} UTC", "Start it and look at its log."
        elif not listener.broker_connected:
            state, remedy = "runs, no connection to the broker", "Look at the listener's log and the broker's log."
        else:
            state, remedy = "runs, connected", ""
        yield Finding(f"listener {listener.name}", state, remedy)


def check_buildings() -> Iterator[Finding]:
    """Whether each building has apartments and fresh readings."""
    if not Building.objects.exists():
        yield Finding("buildings", "none", "Run manage.py import_apartments BUILDING FILE.csv.")
    for building in Building.objects.all():
        newest = max(filter(None, (_newest(meter) for meter in building.meters.all())), default=None)
        if newest is None:
            state, fresh = "no reading yet", False
        else:
            state = f"newest reading {newest:%Y-%m-%d %H:%M:%S} UTC"
            fresh = timezone.now() - newest < dt.timedelta(seconds=settings.MAX_GAP_SECONDS)
        remedy = (
            "" if fresh else "Do the meters publish to electricity/BUILDING/floor/APARTMENT? See Rejected messages."
        )
        yield Finding(f"building {building.slug}", state, remedy)


def check_energy() -> Iterator[Finding]:
    """Whether housekeep derives energy from readings: pages help themselves for an hour, no longer."""
    progress = LoadProgress.objects.filter(pk=1).values_list("derived_to", flat=True).first() or 0
    waiting = Reading.objects.filter(pk__gt=progress).order_by("pk").first()
    if waiting is None:
        yield Finding("energy", "derived from all readings", "")
        return
    since = timezone.now() - (waiting.received_at or waiting.taken_at)
    late = since > LATE
    state = f"readings have waited for {since.total_seconds() / 60:,.0f} minutes to be derived"
    remedy = "Start its timer: systemctl enable --now riser-housekeep.timer; and look at its log."
    yield Finding("energy", state if late else "derived, but for the newest readings", remedy if late else "")


def _newest(meter: Meter) -> dt.datetime | None:
    return Reading.objects.filter(meter=meter).order_by("-taken_at").values_list("taken_at", flat=True).first()
