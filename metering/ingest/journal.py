"""Which deliveries are stored already: the memory of the journal that the database keeps.

A broker delivers again, marked as such, what was not acknowledged on the connection before. After
a crash between commit and acknowledgement that is a reading which is in the table already.
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


def fingerprint(delivery: Delivery) -> bytes:
    """8 bytes that tell this topic and payload from others."""
    return hashlib.blake2b(delivery.topic.encode() + b"\0" + delivery.payload, digest_size=8).digest()


class Journal:
    """Packet ids and fingerprints of the last deliveries stored, in pages of one batch each."""

    def __init__(self, pages: Iterable[tuple[int, bytes]] = ()) -> None:
        self._stored: dict[int, tuple[bytes, int]] = {}
        self._pages: deque[tuple[int, int]] = deque()
        self._reach = 0
        self._oldest = 0
        for page, entries in pages:
            self.turn(page, entries)

    def knows(self, packet_id: int, print_: bytes) -> bool:
        """Whether just this delivery is stored."""
        known = self._stored.get(packet_id)
        return known is not None and known[0] == print_ and known[1] >= self._oldest

    def turn(self, page: int, entries: bytes) -> None:
        """Add the page of a batch that was committed."""
        count = 0
        for packet_id, print_ in ENTRY.iter_unpack(entries):
            self._stored[packet_id] = (print_, page)
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
