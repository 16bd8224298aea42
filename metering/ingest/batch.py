"""How long to collect deliveries before they are stored together."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Batch(Generic[T]):
    """Deliveries in order of receipt, waiting to be stored.

    `limit` is how many one transaction stores. `max_age` in seconds bounds how long the first one
    waits while more keep coming. `capacity` and `max_bytes` bound memory while the database is away:
    the one is above 65,535, the most that a broker may have in flight; the other has room for that
    many readings, and none for as many of the largest messages.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        limit: int = 1000,
        max_age: float = 0.5,
        capacity: int = 70_000,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._max_age = max_age
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._bytes = 0
        self._items: list[T] = []
        self._began = 0.0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T, size: int = 0) -> None:
        """Put it behind the others. `size` in bytes counts until the batch has been stored to the last item."""
        if not self._items:
            self._began = self._clock()
            self._bytes = 0
        self._items.append(item)
        self._bytes += size

    @property
    def is_due(self) -> bool:
        """Full or old enough to be stored even though more is coming."""
        return len(self._items) >= self._limit or (bool(self._items) and self._clock() - self._began >= self._max_age)

    @property
    def is_overfull(self) -> bool:
        """Nothing more may be taken in until something was stored."""
        return len(self._items) >= self._capacity or (bool(self._items) and self._bytes >= self._max_bytes)

    def chunks(self) -> Iterator[list[T]]:
        """The items in transactions' worth. A chunk leaves the batch when the next one is asked for."""
        while self._items:
            yield self._items[: self._limit]
            del self._items[: self._limit]
