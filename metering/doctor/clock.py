"""Whether the time that readings are given is right."""

import ctypes
import datetime as dt
import sys
from collections.abc import Iterator

from django.db import connection
from django.utils import timezone

from metering.doctor.finding import Finding
from metering.models import Reading

UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
NEWEST = 1000
RECENT = dt.timedelta(hours=1)
METERS_TOLERANCE = dt.timedelta(seconds=60)
SERVER_TOLERANCE = dt.timedelta(seconds=5)


class Timex(ctypes.Structure):
    """The beginning of `struct timex`, and room for the rest of it."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("largest_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    ]


def check_clock() -> Iterator[Finding]:
    """Whether something keeps the clock; on PostgreSQL also whether that server has the same time."""
    yield judge_clock(is_kept(), meters_agree())
    if connection.vendor == "postgresql":
        yield check_server_clock()


def judge_clock(kept: bool | None, meters: bool) -> Finding:
    """From what Linux says of it (None: nothing) and whether meters' clocks show the same time."""
    if kept:
        return Finding("clock", "kept by a time service")
    if meters:
        return Finding("clock", "no time service keeps it, but it agrees with the clocks of meters")
    if kept is None:
        return Finding("clock", "cannot tell whether a time service keeps it")
    return Finding(
        "clock",
        "no time service keeps it: readings may get a wrong time",
        "Start one (apt-get install systemd-timesyncd; timedatectl timesync-status), with a time server it can reach.",
    )


def is_kept() -> bool | None:
    """Whether ntpd, chrony or systemd-timesyncd has set the kernel's clock lately; None where it cannot be asked.

    Reading this needs no rights. The kernel withdraws it by itself some hours after the last correction.
    """
    if not sys.platform.startswith("linux"):
        return None
    timex = Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
        return None
    return not timex.status & UNSYNCHRONISED


def meters_agree() -> bool:
    """Whether a meter with a clock of its own sent a reading lately whose time is about that of its receipt."""
    since = timezone.now() - RECENT
    newest = Reading.objects.order_by("-pk").values_list("taken_at", "received_at")[:NEWEST]
    return any(
        received_at and received_at > since and abs(received_at - taken_at) < METERS_TOLERANCE
        for taken_at, received_at in newest
    )


def check_server_clock() -> Finding:
    """Whether the database server's clock shows the same time as this machine's."""
    with connection.cursor() as cursor:
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
    ours = before + (timezone.now() - before) / 2
    apart = abs(theirs - ours)
    state = f"{apart.total_seconds():.1f} s from this machine's"
    remedy = "" if apart < SERVER_TOLERANCE else "Let a time service keep both machines' clocks."
    return Finding("database server's clock", state, remedy)
