"""Batches into the database, one transaction each. The only ORM code of ingest, with routing.py."""

import contextlib
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field

from django.conf import settings
from django.db import (
    InterfaceError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
    reset_queries,
    transaction,
)

from accounts.models import Building
from metering.ingest.decoders import InvalidMessage
from metering.ingest.delivery import Accepted, Decoded, Delivery, Ignored, NotNow, Refused
from metering.ingest.insert import NewReading, insert_every, insert_new
from metering.ingest.journal import ENTRY, LATER, Journal, Place, Repetition, fingerprint
from metering.ingest.patience import bound_waiting
from metering.ingest.routing import Routes
from metering.ingest.topics import parse_native, printable
from metering.ingest.vigilance import Vigilance
from metering.models import JournalPage, ListenerState, Meter, RejectedMessage
from metering.models.rejected import KEPT_PAYLOAD_BYTES, KEPT_TOPIC_CHARACTERS

COUNTED = ("heartbeat_at", "batches", "batch_size", "batch_wait", "commit_seconds", "received", "stored", "duplicates",
           "ignored", "rejected", "rejected_by_reason")  # fmt: skip

Fresh = dict[tuple[int, bytes], Place]
"""Packet id and fingerprint of what this batch stores, with its place in the journal's next page."""


@contextlib.contextmanager
def database_faults_mean_not_now() -> Iterator[None]:
    """Busy, full, read-only, restarting: all of it passes, so nothing of it may lose a reading.

    PostgreSQL calls it an internal error when a server is read-only, as a standby is until it takes over.
    """
    try:
        if not connection.in_atomic_block:
            close_old_connections()
            # With DEBUG on, Django remembers the text of the last 9000 statements; a batch's can be large.
            reset_queries()
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        # SQLite opens a file that it cannot write for reading, and the connection stays like that.
        if not connection.in_atomic_block:
            connection.close()
        raise NotNow(str(error).strip().splitlines()[0] if str(error).strip() else repr(error)) from error


@dataclass
class Outcome:
    """What became of the deliveries of one batch."""

    repetition: Repetition
    readings: list[NewReading] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    ignored: int = 0
    duplicates: int = 0
    entries: bytearray = field(default_factory=bytearray)
    at_qos_0: dict[int, str] = field(default_factory=dict)
    """Meters heard with QoS 0, and the topic of each."""

    @property
    def reasons(self) -> Counter[str]:
        """How many were refused, by the code of the reason."""
        return Counter(item.problem.code for item in self.refused)


class DatabaseStore:
    """Keeps the readings, the rejects, the counters and the journal of one listener."""

    def __init__(
        self, listener: str, now: Callable[[], dt.datetime], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listener = listener
        self._now = now
        self._clock = clock
        self._vigilance = Vigilance(clock)
        self._commit_seconds = 0.0
        self._state = ListenerState(name=listener)
        self._journal = Journal()
        self._repetition = Repetition()
        self._is_up_to_date = False
        self._in_doubt: set[tuple[int, int]] = set()
        self._valid_from = 0
        self._stale_page: int | None = None
        self._refused_since_trim = 0
        bound_waiting(connection.vendor, connection.settings_dict["OPTIONS"])

    def save(self, batch: list[Decoded]) -> None:
        """Store a batch in one transaction. Raises NotNow where it cannot be done at this time."""
        began = self._clock()
        try:
            with database_faults_mean_not_now():
                self._open()
                with transaction.atomic():
                    outcome = self._sort_out(batch)
                    self._insert(outcome)
                    self._keep_refused(outcome.refused)
                    state = self._count(batch, outcome)
                    page = self._write_journal(bytes(outcome.entries))
        except NotNow:
            # The commit may have happened and only its confirmation be lost: the journal knows.
            self._in_doubt = {_identity(item.delivery) for item in batch}
            self._is_up_to_date = False
            raise
        # Only what was committed may be remembered.
        self._state = state
        self._repetition = outcome.repetition
        self._commit_seconds = self._clock() - began
        self._in_doubt = set()
        self._vigilance.heard_at_qos_0(outcome.at_qos_0.items())
        self._vigilance.stored(len(batch), outcome.reasons)
        if page is not None:
            self._journal.turn(page, bytes(outcome.entries))
            self._stale_page = self._journal.drop_old() or self._stale_page

    def forget_before(self, connection: int) -> None:
        """The broker lost the session when this connection began: earlier packet ids mean nothing now."""
        if connection <= self._valid_from:
            return
        with database_faults_mean_not_now():
            self._open()
            JournalPage.objects.filter(listener=self._state).delete()
        self._journal = Journal()
        self._valid_from = connection

    def beat(self, is_connected: bool) -> None:
        """Say that the listener is alive, and whether the broker can be reached."""
        now = self._now()
        with database_faults_mean_not_now():
            self._open()
            state = ListenerState.objects.filter(pk=self._state.pk)
            state.update(heartbeat_at=now, stopped_at=None)
            state.exclude(broker_connected=is_connected).update(broker_connected=is_connected, broker_changed_at=now)

    def farewell(self) -> None:
        """Say that the listener was stopped on purpose, so that nobody waits for its heartbeat to grow old."""
        with database_faults_mean_not_now():
            ListenerState.objects.filter(pk=self._state.pk).update(stopped_at=self._now(), broker_connected=False)

    def meter_topics(self) -> dict[str, str]:
        """The topics of meters that have one of their own, with the decoder of each."""
        with database_faults_mean_not_now():
            return dict(Meter.objects.exclude(topic="").values_list("topic", "decoder"))

    def _open(self) -> None:
        """Find or make this listener's row, and read its counters and its journal, where that is not done yet."""
        if self._is_up_to_date:
            return
        self._state = self._begin() if self._state.pk is None else ListenerState.objects.get(pk=self._state.pk)
        self._journal = Journal((page.pk, bytes(page.entries)) for page in self._state.journal.all())
        self._stale_page = self._journal.drop_old()
        self._is_up_to_date = True

    def _begin(self) -> ListenerState:
        now = self._now()
        state, made = ListenerState.objects.get_or_create(
            name=self._listener, defaults={"started_at": now, "heartbeat_at": now, "broker_changed_at": now}
        )
        if not made:
            ListenerState.objects.filter(pk=state.pk).update(
                started_at=now, stopped_at=None, heartbeat_at=now, broker_connected=False, broker_changed_at=now
            )
        return state

    def _sort_out(self, batch: list[Decoded]) -> Outcome:
        outcome = Outcome(self._repetition.copy())
        routes = Routes([item for item in batch if isinstance(item, Accepted)])
        fresh: Fresh = {}
        for item in batch:
            if self._is_stored(item.delivery, fresh, outcome.repetition):
                outcome.duplicates += 1
                continue
            self._journal_entry(item.delivery, fresh, outcome)
            if isinstance(item, Refused):
                outcome.refused.append(item)
            elif isinstance(item, Ignored):
                outcome.ignored += 1
            else:
                self._route(item, routes, outcome)
        return outcome

    def _is_stored(self, delivery: Delivery, fresh: Fresh, repetition: Repetition) -> bool:
        """Whether this is a redelivery of something stored before, or earlier in this batch."""
        is_marked = delivery.is_redelivery or _identity(delivery) in self._in_doubt
        if not delivery.qos or not (is_marked or repetition.may_go_on(delivery.connection)):
            return False
        print_ = fingerprint(delivery)
        place = fresh.get((delivery.packet_id, print_)) or self._journal.place(delivery.packet_id, print_)
        is_repeated = repetition.goes_on(delivery.connection, place)
        return place is not None if is_marked else is_repeated

    def _journal_entry(self, delivery: Delivery, fresh: Fresh, outcome: Outcome) -> None:
        if delivery.qos and delivery.connection >= self._valid_from:
            print_ = fingerprint(delivery)
            fresh[delivery.packet_id, print_] = (LATER, len(outcome.entries))
            outcome.entries += ENTRY.pack(delivery.packet_id, print_)

    def _route(self, item: Accepted, routes: Routes, outcome: Outcome) -> None:
        measured, received_at = item.measurement, item.delivery.received_at
        taken_at = measured.taken_at or received_at
        try:
            meter_id = routes.meter_of(item, taken_at)
        except InvalidMessage as problem:
            outcome.refused.append(Refused(item.delivery, problem))
            return
        if not item.delivery.qos:
            outcome.at_qos_0[meter_id] = printable(item.delivery.topic)
        outcome.readings.append(
            NewReading(
                meter_id,
                taken_at,
                measured.voltage,
                measured.current,
                measured.power,
                measured.power_factor,
                measured.energy_total,
                received_at if measured.taken_at else None,
            )
        )

    def _insert(self, outcome: Outcome) -> None:
        """Insert each reading once by (meter, taken_at); count those that were there."""
        timed = [reading for reading in outcome.readings if reading.received_at is not None]
        untimed = [reading for reading in outcome.readings if reading.received_at is None]
        if timed:
            outcome.duplicates += len(timed) - insert_new(timed)
        if untimed:
            insert_every(untimed)

    def _keep_refused(self, refused: list[Refused]) -> None:
        if not refused:
            return
        buildings = dict(Building.objects.values_list("slug", "pk"))
        RejectedMessage.objects.bulk_create(
            RejectedMessage(
                received_at=item.delivery.received_at,
                topic=printable(item.delivery.topic[:KEPT_TOPIC_CHARACTERS]),
                building_id=_building_of(item.delivery.topic, buildings),
                payload=item.delivery.payload[:KEPT_PAYLOAD_BYTES],
                reason=printable(item.problem.reason[:200]),
            )
            for item in _newest_of_each_topic(refused)[-settings.MAX_REJECTED_MESSAGES :]
        )
        # Not with every batch: the whole table is ranked for it.
        self._refused_since_trim += len(refused)
        if self._refused_since_trim >= settings.MAX_REJECTED_OF_ONE_TOPIC:
            RejectedMessage.objects.beyond_the_share_of_a_topic().delete()
            self._refused_since_trim = 0
        RejectedMessage.objects.beyond(settings.MAX_REJECTED_MESSAGES).delete()

    def _count(self, batch: list[Decoded], outcome: Outcome) -> ListenerState:
        """Bring this listener's row up to date; no other listener writes to it. Returns the row as it is then."""
        state, received, now = copy(self._state), len(batch), self._now()
        state.heartbeat_at = now
        state.batches += 1
        state.batch_size = received
        state.batch_wait = max(0.0, (now - batch[0].delivery.received_at).total_seconds())
        # This batch's own time is known when it is over: the next one writes it.
        state.commit_seconds += self._commit_seconds
        state.received += received
        state.stored += received - outcome.duplicates - outcome.ignored - len(outcome.refused)
        state.duplicates += outcome.duplicates
        state.ignored += outcome.ignored
        state.rejected += len(outcome.refused)
        state.rejected_by_reason = dict(Counter(state.rejected_by_reason) + outcome.reasons)
        state.save(update_fields=COUNTED)
        return state

    def _write_journal(self, entries: bytes) -> int | None:
        if self._stale_page is not None:
            JournalPage.objects.filter(listener=self._state, pk__lte=self._stale_page).delete()
        if not entries:
            return None
        return JournalPage.objects.create(listener=self._state, entries=entries).pk


def _newest_of_each_topic(refused: list[Refused]) -> list[Refused]:
    """As many of one topic as are kept: one meter must not push out what the others sent."""
    kept: list[Refused] = []
    found: Counter[str] = Counter()
    for item in reversed(refused):
        found[item.delivery.topic] += 1
        if found[item.delivery.topic] <= settings.MAX_REJECTED_OF_ONE_TOPIC:
            kept.append(item)
    return kept[::-1]


def _building_of(topic: str, buildings: dict[str, int]) -> int | None:
    """Whose manager may see a refused message: that of the building its topic names, if there is one."""
    address = parse_native(topic)
    return buildings.get(address.building or "") if address else None


def _identity(delivery: Delivery) -> tuple[int, int]:
    """What tells a delivery from all others of this process."""
    return delivery.connection, delivery.packet_id
