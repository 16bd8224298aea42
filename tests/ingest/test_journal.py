from metering.ingest.journal import ENTRY, REACH, Journal, Repetition, fingerprint
from tests.fakes import delivery


def page_of(*deliveries):
    return b"".join(ENTRY.pack(item.packet_id, fingerprint(item)) for item in deliveries)


def test_it_knows_a_stored_delivery_by_packet_id_topic_and_payload():
    stored = delivery(packet_id=7)
    journal = Journal([(1, page_of(stored))])
    assert journal.place(7, fingerprint(stored))
    assert not journal.place(8, fingerprint(stored))
    assert not journal.place(7, fingerprint(delivery(b"{}", packet_id=7)))
    assert not journal.place(7, fingerprint(delivery(topic="electricity/house/floor/102", packet_id=7)))


def test_a_packet_id_used_again_names_the_later_delivery():
    first, second = delivery(b"1", packet_id=7), delivery(b"2", packet_id=7)
    journal = Journal([(1, page_of(first)), (2, page_of(second))])
    assert journal.place(7, fingerprint(second))
    assert not journal.place(7, fingerprint(first))


def test_topic_and_payload_do_not_run_into_each_other():
    assert fingerprint(delivery(b"bc", topic="a")) != fingerprint(delivery(b"c", topic="ab"))


def test_it_forgets_whole_pages_out_of_reach_and_no_sooner():
    old = delivery(packet_id=65_000)
    journal = Journal([(1, page_of(old))])
    assert journal.drop_old() is None
    entries = b"".join(ENTRY.pack(number, b"12345678") for number in range(1, REACH))
    journal.turn(2, entries)
    assert journal.drop_old() is None
    assert journal.place(65_000, fingerprint(old))
    journal.turn(3, ENTRY.pack(REACH, b"12345678"))
    assert journal.drop_old() == 1
    assert not journal.place(65_000, fingerprint(old))
    assert journal.place(1, b"12345678")


def test_a_broker_that_went_back_repeats_from_the_start_of_a_connection_in_order():
    repetition = Repetition(connection=0)
    assert [repetition.goes_on(1, place) for place in ((7, 0), (7, 1), (9, 0))] == [True] * 3
    assert not repetition.goes_on(1, None), "the first new one ends it"
    assert not repetition.goes_on(1, (9, 1))
    assert repetition.goes_on(2, (9, 1))


def test_a_packet_id_that_is_used_again_at_once_is_no_repetition():
    repetition = Repetition(connection=0)
    assert repetition.goes_on(1, (7, 3))
    assert not repetition.goes_on(1, (7, 3))
    assert not repetition.goes_on(1, (7, 4))


def test_on_the_first_connection_of_a_process_nothing_is_a_repetition():
    repetition = Repetition()
    assert repetition.may_go_on(1)
    assert not repetition.goes_on(1, (7, 3))
    assert not repetition.goes_on(1, (7, 4))
    assert repetition.goes_on(2, (7, 4))
