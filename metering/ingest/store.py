"""Batches into the database, one transaction each. The only ORM code of ingest, with routing.py."""

import contextlib
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, close_old_connections, connection, transaction
from django.db.models import F

from accounts.models import Building
from metering.ingest.decoders import InvalidMessage
from metering.ingest.delivery import Accepted, Decoded, Delivery, Ignored, NotNow, Refused
from metering.ingest.journal import ENTRY, Journal, fingerprint
from metering.ingest.routing import Routes
from metering.ingest.topics import parse_native, printable
from metering.ingest.vigilance import Vigilance
from metering.models import JournalPage, ListenerState, Meter, Reading, RejectedMessage
from metering.models.instant import MICROSECOND
from metering.models.rejected import KEPT_PAYLOAD_BYTES, KEPT_TOPIC_CHARACTERS

BUSY_SECONDS = 2.0


@contextlib.contextmanager
def database_faults_mean_not_now() -> Iterator[None]:
    """Busy, full, read-only, restarting: all of it passes, so nothing of it may lose a reading.

    PostgreSQL calls it an internal error when a server is read-only, as a standby is until it takes over.
    """
    try:
        if not connection.in_atomic_block:
            close_old_connections()
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        raise NotNow(str(error).strip().splitlines()[0] if str(error).strip() else repr(error)) from error


@dataclass
class Outcome:
    """What became of the deliveries of one batch."""

    readings: list[Reading] = field(default_factory=list)
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
        self._state_id = 0
        self._journal = Journal()
        self._journal_is_read = False
        self._in_doubt: set[tuple[int, int]] = set()
        self._valid_from = 0
        self._stale_page: int | None = None
        # Waiting longer inside SQLite would keep the listener from its broker, its watchdog and SIGTERM.
        if connection.vendor == "sqlite":
            connection.settings_dict["OPTIONS"]["timeout"] = BUSY_SECONDS

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
                    self._count(batch, outcome)
                    page = self._write_journal(bytes(outcome.entries))
        except NotNow:
            # The commit may have happened and only its confirmation be lost: the journal knows.
            self._in_doubt = {_identity(item.delivery) for item in batch}
            self._journal_is_read = False
            raise
        # Only what was committed may be remembered.
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
            JournalPage.objects.filter(listener=self._state_id).delete()
        self._journal = Journal()
        self._valid_from = connection

    def beat(self, is_connected: bool) -> None:
        """Say that the listener is alive, and whether the broker can be reached."""
        now = self._now()
        with database_faults_mean_not_now():
            self._open()
            state = ListenerState.objects.filter(pk=self._state_id)
            state.update(heartbeat_at=now, stopped_at=None)
            state.exclude(broker_connected=is_connected).update(broker_connected=is_connected, broker_changed_at=now)

    def farewell(self) -> None:
        """Say that the listener was stopped on purpose, so that nobody waits for its heartbeat to grow old."""
        with database_faults_mean_not_now():
            ListenerState.objects.filter(pk=self._state_id).update(stopped_at=self._now(), broker_connected=False)

    def meter_topics(self) -> dict[str, str]:
        """The topics of meters that have one of their own, with the decoder of each."""
        with database_faults_mean_not_now():
            return dict(Meter.objects.exclude(topic="").values_list("topic", "decoder"))

    def _open(self) -> None:
        """Find or make this listener's row, once, and read its journal, where that is not done yet."""
        if not self._state_id:
            self._state_id = self._begin()
        if not self._journal_is_read:
            pages = JournalPage.objects.filter(listener=self._state_id)
            self._journal = Journal((page.pk, bytes(page.entries)) for page in pages)
            self._stale_page = self._journal.drop_old()
            self._journal_is_read = True

    def _begin(self) -> int:
        now = self._now()
        state, made = ListenerState.objects.get_or_create(
            name=self._listener, defaults={"started_at": now, "heartbeat_at": now, "broker_changed_at": now}
        )
        if not made:
            ListenerState.objects.filter(pk=state.pk).update(
                started_at=now, stopped_at=None, heartbeat_at=now, broker_connected=False, broker_changed_at=now
            )
        return state.pk

    def _sort_out(self, batch: list[Decoded]) -> Outcome:
        outcome = Outcome()
        routes = Routes([item for item in batch if isinstance(item, Accepted)])
        fresh: dict[int, bytes] = {}
        for item in batch:
            if self._is_stored(item.delivery, fresh):
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

    def _is_stored(self, delivery: Delivery, fresh: dict[int, bytes]) -> bool:
        """Whether this is a redelivery of something stored before, or earlier in this batch."""
        may_be_stored = delivery.is_redelivery or _identity(delivery) in self._in_doubt
        if not may_be_stored or not delivery.qos:
            return False
        print_ = fingerprint(delivery)
        return fresh.get(delivery.packet_id) == print_ or self._journal.knows(delivery.packet_id, print_)

    def _journal_entry(self, delivery: Delivery, fresh: dict[int, bytes], outcome: Outcome) -> None:
        if delivery.qos and delivery.connection >= self._valid_from:
            print_ = fingerprint(delivery)
            fresh[delivery.packet_id] = print_
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
            Reading(
                meter_id=meter_id,
                taken_at=taken_at,
                voltage=measured.voltage,
                current=measured.current,
                power=measured.power,
                power_factor=measured.power_factor,
                energy_total=measured.energy_total,
                received_at=received_at if measured.taken_at else None,
            )
        )

    def _insert(self, outcome: Outcome) -> None:
        """Insert each reading once by (meter, taken_at); count those that were there."""
        if not outcome.readings:
            return
        self._separate_receipts(outcome.readings)
        once = {(reading.meter_id, reading.taken_at): reading for reading in reversed(outcome.readings)}
        rows = list(reversed(once.values()))
        newest = Reading.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        # ON CONFLICT on the named columns: INSERT OR IGNORE would hide any other violation, too.
        # The update changes nothing; it makes the database answer with the row that was there.
        Reading.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["meter", "taken_at"], update_fields=["taken_at"]
        )
        there_before = sum(1 for row in rows if row.pk <= newest)
        outcome.duplicates += len(outcome.readings) - len(rows) + there_before

    def _separate_receipts(self, readings: list[Reading]) -> None:
        """Readings without a time of their own are never duplicates: move equal receipts apart.

        Two of one meter carry the same instant only where the clock was set back.
        """
        own = [reading for reading in readings if reading.received_at is None]
        if not own:
            return
        instants = [reading.taken_at for reading in own]
        taken = set(
            Reading.objects.filter(
                meter__in={reading.meter_id for reading in own},
                taken_at__range=(min(instants), max(instants) + len(own) * MICROSECOND),
            ).values_list("meter_id", "taken_at")
        )
        last = max(instants) + len(own) * MICROSECOND
        for reading in own:
            while (reading.meter_id, reading.taken_at) in taken or (
                reading.taken_at > last and Reading.objects.filter(meter=reading.meter_id, taken_at=reading.taken_at)
            ):
                reading.taken_at += MICROSECOND
            taken.add((reading.meter_id, reading.taken_at))

    def _keep_refused(self, refused: list[Refused]) -> None:
        if not refused:
            return
        buildings = dict(Building.objects.values_list("slug", "pk"))
        rows = RejectedMessage.objects.bulk_create(
            RejectedMessage(
                received_at=item.delivery.received_at,
                topic=printable(item.delivery.topic[:KEPT_TOPIC_CHARACTERS]),
                building_id=_building_of(item.delivery.topic, buildings),
                payload=item.delivery.payload[:KEPT_PAYLOAD_BYTES],
                reason=printable(item.problem.reason[:200]),
            )
            for item in refused[-settings.MAX_REJECTED_MESSAGES :]
        )
        newest = max(row.pk for row in rows)
        RejectedMessage.objects.filter(pk__lte=newest - settings.MAX_REJECTED_MESSAGES).delete()

    def _count(self, batch: list[Decoded], outcome: Outcome) -> None:
        state = ListenerState.objects.filter(pk=self._state_id)
        received, duplicates, rejected = len(batch), outcome.duplicates, len(outcome.refused)
        now = self._now()
        state.update(
            heartbeat_at=now,
            batches=F("batches") + 1,
            batch_size=received,
            batch_wait=max(0.0, (now - batch[0].delivery.received_at).total_seconds()),
            # This batch's own time is known when it is over: the next one writes it.
            commit_seconds=F("commit_seconds") + self._commit_seconds,
            received=F("received") + received,
            stored=F("stored") + received - duplicates - rejected - outcome.ignored,
            duplicates=F("duplicates") + duplicates,
            ignored=F("ignored") + outcome.ignored,
            rejected=F("rejected") + rejected,
        )
        if rejected:
            row = state.get()
            state.update(rejected_by_reason=dict(Counter(row.rejected_by_reason) + outcome.reasons))

    def _write_journal(self, entries: bytes) -> int | None:
        if self._stale_page is not None:
            JournalPage.objects.filter(listener=self._state_id, pk__lte=self._stale_page).delete()
        if not entries:
            return None
        return JournalPage.objects.create(listener_id=self._state_id, entries=entries).pk


def _building_of(topic: str, buildings: dict[str, int]) -> int | None:
    """Whose manager may see a refused message: that of the building its topic names, if there is one."""
    address = parse_native(topic)
    return buildings.get(address.building or "") if address else None


def _identity(delivery: Delivery) -> tuple[int, int]:
    """What tells a delivery from all others of this process."""
    return delivery.connection, delivery.packet_id
