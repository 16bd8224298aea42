import contextlib
import datetime as dt
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from accounts.models import Building
from metering.ingest.decoders import InvalidMessage, Measurement
from metering.ingest.delivery import Accepted, Ignored, NotNow, Refused
from metering.ingest.routing import Routes
from metering.ingest.store import DatabaseStore
from metering.ingest.topics import Address
from metering.models import JournalPage, ListenerState, Meter, Reading, RejectedMessage
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory
from tests.fakes import NOON, FakeClock, delivery

MINUTE = dt.timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    return new_store()


def new_store():
    return DatabaseStore("riser-listener", lambda: NOON)


def accepted(apartment="101", building="house", power=460.0, taken_at=None, address=None, **fields):
    return Accepted(
        delivery(**fields),
        Measurement(voltage=230.0, current=2.0, power=power, taken_at=taken_at),
        Address(building, apartment) if address is None else address,
    )


def own_topic(topic, **fields):
    return Accepted(delivery(topic=topic, **fields), Measurement(voltage=230.0, current=2.0, power=460.0), None)


def counters():
    state = ListenerState.objects.get()
    return {name: getattr(state, name) for name in ("received", "stored", "duplicates", "ignored", "rejected")}


def test_a_reading_belongs_to_the_meter_of_its_apartment(store, meter):
    store.save([accepted()])
    reading = Reading.objects.get()
    assert reading.meter == meter
    assert (reading.voltage, reading.current, reading.power) == (230.0, 2.0, 460.0)
    assert reading.taken_at == NOON
    assert reading.received_at is None, "it is the same instant, and 8 bytes a reading"
    assert counters() == {"received": 1, "stored": 1, "duplicates": 0, "ignored": 0, "rejected": 0}


def test_an_apartment_without_a_meter_gets_a_native_one(store, apartment):
    store.save([accepted(), accepted(packet_id=2)])
    assert Meter.objects.get().apartment == apartment
    assert Reading.objects.count() == 2


def test_the_meters_own_clock_counts(store, meter):
    store.save([accepted(taken_at=NOON - MINUTE)])
    reading = Reading.objects.get()
    assert reading.taken_at == NOON - MINUTE
    assert reading.received_at == NOON


def test_a_reading_with_a_time_of_its_own_is_stored_once(store, meter):
    taken_at = NOON - MINUTE
    store.save([accepted(taken_at=taken_at), accepted(taken_at=taken_at, packet_id=2)])
    store.save([accepted(taken_at=taken_at, packet_id=3, power=1.0), accepted(taken_at=NOON, packet_id=4)])
    assert [reading.power for reading in Reading.objects.order_by("pk")] == [460.0, 460.0]
    assert counters() == {"received": 4, "stored": 2, "duplicates": 2, "ignored": 0, "rejected": 0}


def test_readings_without_a_time_are_never_taken_for_duplicates(store, meter):
    store.save([accepted(packet_id=number) for number in (1, 2)])
    store.save([accepted(packet_id=3)])
    assert Reading.objects.count() == 3
    assert len({reading.taken_at for reading in Reading.objects.all()}) == 3


def test_a_redelivery_of_what_was_stored_is_skipped(store, meter):
    store.save([accepted(packet_id=1), accepted(packet_id=2)])
    store.save([accepted(packet_id=2, again=True, connection=2), accepted(packet_id=3)])
    assert Reading.objects.count() == 3
    assert counters()["duplicates"] == 1


def test_a_redelivery_of_what_was_not_stored_is_stored(store, meter):
    store.save([accepted(packet_id=1)])
    store.save([accepted(packet_id=2, again=True), accepted(packet_id=1, again=True, payload=b"other")])
    assert Reading.objects.count() == 3


def test_a_broker_that_went_back_and_repeats_without_the_mark_is_recognised(store, meter):
    store.save([accepted(packet_id=number) for number in range(1, 6)])
    store.save([accepted(packet_id=number, connection=2) for number in range(2, 5)])
    store.save([accepted(packet_id=number, connection=2) for number in (5, 6, 7)])
    assert Reading.objects.count() == 7
    assert counters()["duplicates"] == 4


def test_a_broker_that_counts_anew_for_a_new_process_repeats_nothing(store, meter):
    store.save([accepted(packet_id=number) for number in (1, 2)])
    new_store().save([accepted(packet_id=number) for number in (1, 2, 3)])
    assert Reading.objects.count() == 5


def test_what_repeats_without_the_mark_later_on_a_connection_is_new(store, meter):
    store.save([accepted(packet_id=number) for number in (1, 2)])
    store.save([accepted(packet_id=number, connection=2) for number in (3, 1, 2)])
    assert Reading.objects.count() == 5


def test_a_broker_that_went_back_while_the_first_delivery_was_waiting_is_recognised(store, meter):
    first = [accepted(packet_id=number) for number in (1, 2)]
    store.save([*first, *(accepted(packet_id=number, connection=2) for number in (1, 2, 3))])
    assert Reading.objects.count() == 3


def test_a_redelivery_in_the_same_batch_is_skipped(store, meter):
    store.save([accepted(packet_id=1), accepted(packet_id=1, again=True, connection=2)])
    assert Reading.objects.count() == 1


def test_a_new_process_knows_what_the_one_before_has_stored(store, meter):
    store.save([accepted(packet_id=1)])
    new_store().save([accepted(packet_id=1, again=True), accepted(packet_id=2, again=True)])
    assert Reading.objects.count() == 2


def test_a_rejected_message_is_not_rejected_again(store, meter):
    problem = InvalidMessage("missing", "voltage is missing.")
    store.save([Refused(delivery(), problem)])
    store.save([Refused(delivery(again=True), problem)])
    assert RejectedMessage.objects.count() == 1
    assert counters() == {"received": 2, "stored": 0, "duplicates": 1, "ignored": 0, "rejected": 1}


def test_after_a_lost_session_packet_ids_mean_nothing(store, meter):
    store.save([accepted(packet_id=1, connection=1)])
    store.forget_before(2)
    store.save([accepted(packet_id=1, connection=2, again=True)])
    assert Reading.objects.count() == 2
    new_store().save([accepted(packet_id=1, connection=1, again=True)])
    assert Reading.objects.count() == 2


def test_what_came_before_the_session_was_lost_is_stored_but_not_journaled(store, meter):
    store.forget_before(2)
    store.save([accepted(packet_id=1, connection=1)])
    store.save([accepted(packet_id=1, connection=2, again=True)])
    assert Reading.objects.count() == 2


def test_qos_0_has_no_packet_ids(store, meter):
    store.save([accepted(packet_id=0, qos=0)])
    store.save([accepted(packet_id=0, qos=0, again=True)])
    assert Reading.objects.count() == 2
    assert JournalPage.objects.count() == 0


def test_the_journal_does_not_grow_for_ever(store, meter, monkeypatch):
    monkeypatch.setattr("metering.ingest.journal.REACH", 3)
    for number in range(1, 21):
        store.save([accepted(packet_id=number)])
    assert JournalPage.objects.count() <= 4


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (accepted(building="nowhere"), "There is no building nowhere."),
        (accepted(apartment="999"), "There is no apartment 999 in building house."),
    ],
)
def test_unknown_addresses_are_refused_kept_and_counted(store, meter, item, reason):
    store.save([item])
    assert RejectedMessage.objects.get().reason == reason
    assert counters()["rejected"] == 1
    assert Reading.objects.count() == 0


def test_a_refused_message_is_kept_in_part(store, building):
    item = delivery(b"\xff" * 10_000, topic="electricity/house/floor/101\u202e")
    store.save([Refused(item, InvalidMessage("not_utf8", "The message is not UTF-8 text (byte 0)."))])
    kept = RejectedMessage.objects.get()
    assert len(kept.payload) == 4096
    assert kept.payload_text.startswith("\\xff\\xff")
    assert kept.topic == "electricity/house/floor/101?"
    assert kept.building == building
    assert ListenerState.objects.get().rejected_by_reason == {"not_utf8": 1}


def test_only_the_newest_refused_messages_are_kept_and_all_are_counted(store, building, settings):
    settings.MAX_REJECTED_MESSAGES = 5
    for start in (0, 4, 8):
        problems = [InvalidMessage("missing", f"{start + number}") for number in range(4)]
        store.save([Refused(delivery(packet_id=number + 1), problem) for number, problem in enumerate(problems)])
    assert [message.reason for message in RejectedMessage.objects.order_by("pk")] == ["7", "8", "9", "10", "11"]
    assert counters()["rejected"] == 12
    assert ListenerState.objects.get().rejected_by_reason == {"missing": 12}


def refuse(store, topic, numbers):
    problem = InvalidMessage("missing", topic)
    store.save([Refused(delivery(topic=topic, packet_id=number), problem) for number in numbers])


@pytest.mark.parametrize("at_once", [150, 1000])
def test_one_meter_does_not_push_out_what_the_others_sent(store, building, settings, at_once):
    settings.MAX_REJECTED_MESSAGES = 500
    other, loud = "electricity/house/floor/201", "electricity/house/floor/101"
    refuse(store, other, range(1, 4))
    for start in range(1, 3000, at_once):
        refuse(store, loud, range(start, start + at_once))
    assert RejectedMessage.objects.filter(topic=other).count() == 3
    newest = RejectedMessage.objects.filter(topic=loud)
    assert newest.count() == 100
    assert counters()["rejected"] == 3 + 3000


def test_retained_messages_without_a_time_are_counted_only(store):
    store.save([Ignored(delivery())])
    assert counters() == {"received": 1, "stored": 0, "duplicates": 0, "ignored": 1, "rejected": 0}


def test_a_reading_goes_to_the_meter_that_hung_there_at_its_time(store, apartment):
    old = MeterFactory(apartment=apartment, serial="old", removed_at=NOON - MINUTE)
    new = MeterFactory(apartment=apartment, serial="new", installed_at=NOON)
    store.save(
        [
            accepted(taken_at=NOON - 2 * MINUTE),
            accepted(packet_id=2),
            accepted(packet_id=3, taken_at=NOON - MINUTE / 2),
        ]
    )
    assert list(old.readings.values_list("taken_at", flat=True)) == [NOON - 2 * MINUTE]
    assert list(new.readings.values_list("taken_at", flat=True)) == [NOON]
    assert RejectedMessage.objects.get().reason.startswith("No meter was installed there at 2026-11-23 11:59:30 UTC")


def test_a_removed_meter_is_not_replaced_by_itself(store, apartment):
    MeterFactory(apartment=apartment, removed_at=NOON - MINUTE)
    store.save([accepted()])
    assert Reading.objects.count() == 0
    assert Meter.objects.count() == 1


def test_the_buildings_main_meter_has_a_topic_of_its_own(store, building):
    main = MeterFactory(apartment=None, building=building, topic="house/main")
    store.save([own_topic("house/main")])
    assert Reading.objects.get().meter == main
    assert store.meter_topics() == {"house/main": "native"}


def test_apartments_of_the_same_number_in_two_buildings_stay_apart(store, meter):
    other = ApartmentFactory(building=BuildingFactory(slug="other"), number="101")
    store.save([accepted(), accepted(building="other", packet_id=2, power=1.0)])
    assert meter.readings.get().power == 460.0
    assert Reading.objects.get(meter__apartment=other).power == 1.0


def test_a_flat_topic_means_the_only_building(store, meter):
    store.save([accepted(address=Address(None, "101"))])
    assert meter.readings.count() == 1


def test_a_flat_topic_means_the_default_building_where_there_are_several(store, meter):
    default = ApartmentFactory(building=BuildingFactory(slug="building"), number="101")
    store.save([accepted(address=Address(None, "101"))])
    assert Reading.objects.get().meter.apartment == default


def test_a_batch_is_one_transaction(store, meter, monkeypatch):
    def full(*_args, **_kwargs):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(JournalPage.objects, "create", full)
    with pytest.raises(NotNow, match="database or disk is full"):
        store.save([accepted(), Refused(delivery(packet_id=2), InvalidMessage("missing", "x"))])
    assert (Reading.objects.count(), RejectedMessage.objects.count(), counters()["received"]) == (0, 0, 0)
    monkeypatch.undo()
    store.save([accepted(again=True)])
    assert Reading.objects.count() == 1


def test_a_commit_whose_confirmation_was_lost_is_not_repeated(store, meter, monkeypatch):
    batch = [accepted(packet_id=number) for number in (1, 2)]
    store.beat(True)

    @contextlib.contextmanager
    def commit_and_fail():
        with transaction.atomic():
            yield
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("metering.ingest.store.transaction", SimpleNamespace(atomic=commit_and_fail))
    with pytest.raises(NotNow):
        store.save(batch)
    monkeypatch.undo()
    store.save([*batch, accepted(packet_id=3)])
    assert Reading.objects.count() == 3
    assert counters() == {"received": 5, "stored": 3, "duplicates": 2, "ignored": 0, "rejected": 0}


def test_a_clock_set_back_over_a_burst_drops_no_reading(store, meter):
    for batch in range(4):
        store.save([accepted(packet_id=batch * 10 + number) for number in range(1, 11)])
    assert Reading.objects.count() == 40
    assert counters()["duplicates"] == 0


def test_the_heartbeat_tells_of_the_broker(store):
    store.beat(True)
    assert ListenerState.objects.get().broker_connected
    store.beat(False)
    assert not ListenerState.objects.get().broker_connected
    assert ListenerState.objects.get().heartbeat_at == NOON


def test_who_beats_was_not_stopped(store):
    store.beat(True)
    store.farewell()
    assert ListenerState.objects.get().stopped_at
    store.beat(True)
    assert ListenerState.objects.get().stopped_at is None


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(store, building, django_assert_max_num_queries):
    apartments = [ApartmentFactory(building=building) for _ in range(40)]
    Meter.objects.ensure_native(apartments)
    store.beat(True)
    items = [accepted(a.number, packet_id=number) for number, a in enumerate(apartments, start=1)]
    with django_assert_max_num_queries(13):
        store.save(items)
    assert Building.objects.count() == 1
    assert connection.vendor in ("sqlite", "postgresql")


def test_batches_are_measured_for_the_operator(meter, monkeypatch):
    clock = FakeClock()
    store = DatabaseStore("riser-listener", lambda: NOON, clock)
    monkeypatch.setattr(store, "_write_journal", lambda _entries: clock.advance(0.25))
    for number in (1, 2):
        store.save([accepted(packet_id=number, received_at=NOON - MINUTE)])
    state = ListenerState.objects.get()
    assert (state.batches, state.batch_size, state.batch_wait) == (2, 1, 60.0)
    assert state.commit_seconds == 0.25, "the newest batch's time is written by the next one"


def test_a_meter_on_qos_0_is_told_to_the_operator(store, meter, caplog):
    store.save([accepted(packet_id=0, qos=0)])
    assert "electricity/house/floor/101 publishes with QoS 0" in caplog.text


def test_what_names_no_meter_is_not_warned_of(store, meter, caplog):
    store.save([accepted("999", packet_id=0, qos=0, topic="electricity/house/floor/999")])
    assert "QoS 0" not in caplog.text


def test_a_meter_that_somebody_else_makes_in_the_same_moment_is_found(store, apartment, monkeypatch):
    def beaten(_manager, apartments):
        raise IntegrityError

    Meter.objects.ensure_native([apartment])
    found, real = [], Routes._collect

    def late(routes, places):
        """Finds nothing the first time: the other's meter is not committed yet."""
        found.append(places)
        if len(found) > 1:
            real(routes, places)

    monkeypatch.setattr(Routes, "_collect", late)
    monkeypatch.setattr(type(Meter.objects), "ensure_native", beaten)
    store.save([accepted()])
    assert Reading.objects.get().meter.apartment == apartment


@pytest.mark.django_db(transaction=True)
def test_with_debug_on_it_does_not_remember_its_statements(meter, settings):
    settings.DEBUG = True
    store, remembered = new_store(), []
    for number in range(5):
        store.save([accepted(packet_id=number, received_at=NOON + number * MINUTE)])
        remembered.append(len(connection.queries))
    assert remembered[4] == remembered[1]
