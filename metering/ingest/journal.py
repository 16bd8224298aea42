"""Which deliveries are stored already: the memory of the journal that the database keeps.

A broker delivers again, marked as such, what was not acknowledged on the connection before. After
a crash between commit and acknowledgement that is a reading which is in the table already.

A broker that crashes goes back to what it had written to its disk. What it had not sent by then it
sends once more, with the same packet ids and in the same order, but without the mark.
"""

import hashlib
import struct
from collections import deque
from collections.abc import Iterable

from metering.ingest.delivery import Delivery

# A broker may have up to its in-flight window unacknowledged, and packet ids repeat after 65,535
# messages. Reaching back further than the window and less far than half the cycle is always right.
REACH = 30_000
ENTRY = struct.Struct(">H8s")
Place = tuple[int, int]
"""Page and line."""
BEFORE_ALL: Place = (-1, 0)
LATER = 1 << 63
"""A page that no database has written yet."""


def fingerprint(delivery: Delivery) -> bytes:
    """8 bytes that tell this topic and payload from others."""
    return hashlib.blake2b(delivery.topic.encode() + b"\0" + delivery.payload, digest_size=8).digest()


class Journal:
    """Packet ids and fingerprints of the last deliveries stored, in pages of one batch each."""

    def __init__(self, pages: Iterable[tuple[int, bytes]] = ()) -> None:
        self._stored: dict[int, tuple[bytes, Place]] = {}
        self._pages: deque[tuple[int, int]] = deque()
        self._reach = 0
        self._oldest = 0
        for page, entries in pages:
            self.turn(page, entries)

    def place(self, packet_id: int, print_: bytes) -> Place | None:
        """Where in the journal just this delivery stands: later ones have greater places. None: it is not stored."""
        known = self._stored.get(packet_id)
        if known is None or known[0] != print_ or known[1][0] < self._oldest:
            return None
        return known[1]

    def turn(self, page: int, entries: bytes) -> None:
        """Add the page of a batch that was committed."""
        count = 0
        for packet_id, print_ in ENTRY.iter_unpack(entries):
            self._stored[packet_id] = (print_, (page, count))
            count += 1
        self._pages.append((page, count))
        self._reach += count

    def drop_old(self) -> int | None:
        """Forget the pages out of reach; return the newest page forgotten, None where there is none."""
        dropped = None
        while self._pages and self._reach - self._pages[0][1] >= REACH:
            dropped, count = self._pages.popleft()
            self._reach -= count
            self._oldest = dropped + 1
        return dropped


class Repetition:
    """Whether the broker is going through what it has sent before: so from the start of a connection.

    It ends with the first delivery that is not in the journal, or does not follow the one before. So
    a packet id that comes again later, with the same payload from a meter that stands still, is new.
    On a process's first connection there is none: there are brokers that begin at packet id 1 whenever a
    listener comes, and a meter that stands still must not be taken for its own past.
    """

    def __init__(self, connection: int | None = None, reached: Place | None = None) -> None:
        self._connection = connection
        self._reached = reached

    def copy(self) -> "Repetition":
        return Repetition(self._connection, self._reached)

    def may_go_on(self, connection: int) -> bool:
        """Whether the next delivery could be part of it."""
        return connection != self._connection or self._reached is not None

    def goes_on(self, connection: int, place: Place | None) -> bool:
        """Whether the next delivery, with its place in the journal, is part of it."""
        if connection != self._connection:
            self._reached = None if self._connection is None else BEFORE_ALL
            self._connection = connection
        follows = place is not None and self._reached is not None and place > self._reached
        self._reached = place if follows else None
        return follows
