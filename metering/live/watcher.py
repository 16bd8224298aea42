"""Brings new readings to those who watch: one round after the other, for all of them together."""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from django.db import Error as DatabaseError
from django.db import connections
from django.utils import timezone

from accounts.access import Residence
from accounts.rights import Visitor, rights
from metering.choice import fresh_choice
from metering.live.commits import Commits
from metering.live.news import Fresh, News
from metering.live.subscriber import REPLAYED, Subscriber
from metering.models import Reading
from metering.status import Status, listener_lamps, meter_lamp

T = TypeVar("T")
LOOK_SECONDS = 0.05
CHECK_SECONDS = 1.0
"""From one look at everybody's rights and lamps to the next; and to the next try where the database is away."""
FAR_BEHIND = 100_000
"""Readings of the whole house that came since: who stood so long ago fetches the curve anew."""

logger = logging.getLogger(__name__)


class Beginning(NamedTuple):
    """How a page begins: what it missed (None: too much to tell), and the number up to which all has been told."""

    subscriber: Subscriber
    missed: Sequence[Reading] | None
    settled: int


class Watcher:
    """All open pages of this process. Looks for news while there are any."""

    def __init__(self) -> None:
        self._at_home: defaultdict[int, set[Subscriber]] = defaultdict(set)
        self._open = 0
        self._task: asyncio.Task[None] | None = None
        # The database is asked in one thread alone: by one connection, and in one order.
        self.thread: Executor = ThreadPoolExecutor(1, "live")
        self._commits = Commits()
        self._news: News | None = None
        self._checked_at = 0.0

    @contextlib.asynccontextmanager
    async def subscribe(self, visitor: Visitor, last: int | None) -> AsyncIterator[Subscriber | None]:
        """A subscriber for as long as the block lasts; None where this visitor may see nothing new.

        `last` is where it stood before a drop: what came since is told first.
        """
        self._open += 1
        try:
            self._start()
            begun = await self._in_thread(lambda: self._begin(visitor, last))
            if begun is None:
                yield None
                return
            # What appeared after those queries is told from here on: rounds ask in the same thread.
            home = self._at_home[begun.subscriber.residence.apartment.pk]
            home.add(begun.subscriber)
            try:
                begun.subscriber.begin(begun.missed, begun.settled, timezone.now())
                yield begun.subscriber
            finally:
                home.discard(begun.subscriber)
        finally:
            self._open -= 1

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._commits, self._news = Commits(), None
            self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while self._open:
            await self._watch_while_open()
            await self._in_thread(connections.close_all)
            # Whoever came while these were closed is told of what came since, over new ones.
            self._commits = Commits()

    async def _watch_while_open(self) -> None:
        try:
            while self._open:
                await self._round_or_wait()
        except Exception:
            logger.exception("New readings cannot be told. Browsers will ask again.")
            for subscriber in self._everybody():
                subscriber.end()
            await asyncio.sleep(CHECK_SECONDS)

    async def _round_or_wait(self) -> None:
        try:
            await self._round()
        except DatabaseError as error:
            # Nobody is told anything meanwhile, as nobody's rights can be asked; nor is anything left out.
            logger.warning("The database is away, so that no new readings are told: %s", error)
            self._commits = Commits()
            await self._in_thread(connections.close_all)
            await asyncio.sleep(CHECK_SECONDS)
        else:
            await asyncio.sleep(LOOK_SECONDS)

    async def _round(self) -> None:
        news, settled = await self._in_thread(self._look)
        concerned = {s for fresh in news for s in self._at_home.get(fresh.apartment or 0, ())}
        lamps = None
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            concerned, lamps = self._everybody(), await self._in_thread(listener_lamps)
            self._checked_at = time.monotonic()
        if not concerned:
            return
        allowed = await self._in_thread(lambda: _allowed(concerned))
        now = timezone.now()
        for subscriber in concerned:
            if subscriber in allowed:
                subscriber.right, subscriber.residence = allowed[subscriber]
            else:
                subscriber.end()
        for reading, apartment in news:
            for subscriber in self._at_home.get(apartment or 0, ()):
                if subscriber in allowed:
                    subscriber.deliver(reading, settled, now)
        if lamps:
            for subscriber in allowed:
                subscriber.check_lamps(*lamps, now)

    def _everybody(self) -> set[Subscriber]:
        return set().union(*self._at_home.values())

    async def _in_thread(self, ask: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, ask)

    def _look(self) -> tuple[Sequence[Fresh], int]:
        """What is new, and up to where all is told."""
        news = self._news_from_here()
        found = news.look() if self._commits.happened() or news.has_more else []
        return found, news.settled

    def _news_from_here(self) -> News:
        if self._news is None:
            self._news = News()
        return self._news

    def _begin(self, visitor: Visitor, last: int | None) -> Beginning | None:
        settled = self._news_from_here().settled
        right = rights([visitor]).get(visitor)
        residence = fresh_choice(visitor) if right else None
        if residence is None or residence.has_ended:
            return None
        missed = [] if last is None else _missed(residence, last, settled)
        # Told after what was missed, and so asked after it: it would say of a reading in between that there is none.
        latest, now = Reading.objects.latest_of(residence), timezone.now()
        status = Status(*listener_lamps(), meter_lamp(latest, now))
        return Beginning(Subscriber(visitor, residence, right, latest, status), missed, settled)


def _missed(residence: Residence, last: int, settled: int) -> Sequence[Reading] | None:
    """The household's readings since that number, None where they are too many to tell."""
    if settled - last > FAR_BEHIND:
        return None
    found = list(Reading.objects.newer_of(residence, last)[: REPLAYED + 1])
    return None if len(found) > REPLAYED else found


def _allowed(subscribers: Collection[Subscriber]) -> dict[Subscriber, tuple[Hashable, Residence]]:
    """Those who may go on, with what that rests on now. Time that ended is noticed without asking."""
    found = {}
    now = rights({subscriber.visitor for subscriber in subscribers})
    for subscriber in subscribers:
        right = now.get(subscriber.visitor)
        residence: Residence | None = subscriber.residence
        if right != subscriber.right:
            residence = fresh_choice(subscriber.visitor)
        if residence and residence.tenancy == subscriber.residence.tenancy and not residence.has_ended:
            found[subscriber] = (right, residence)
    return found


watcher = Watcher()
