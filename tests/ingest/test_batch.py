from hypothesis import given
from hypothesis import strategies as st

from metering.ingest.batch import Batch
from tests.fakes import FakeClock


def test_it_is_due_when_full():
    batch = Batch(FakeClock(), limit=2)
    batch.add("a")
    assert not batch.is_due
    batch.add("b")
    assert batch.is_due


def test_it_is_due_when_its_first_item_is_old():
    clock = FakeClock()
    batch = Batch(clock, max_age=0.5)
    assert not batch.is_due
    batch.add("a")
    clock.advance(0.4)
    batch.add("b")
    assert not batch.is_due
    clock.advance(0.1)
    assert batch.is_due


def test_it_says_when_nothing_more_fits():
    batch = Batch(FakeClock(), capacity=2)
    batch.add("a")
    assert not batch.is_overfull
    batch.add("b")
    assert batch.is_overfull


def test_a_chunk_that_fails_stays_in_the_batch():
    batch = Batch(FakeClock(), limit=2)
    for item in "abc":
        batch.add(item)
    chunks = batch.chunks()
    assert next(chunks) == ["a", "b"]
    chunks.close()
    assert len(batch) == 3
    assert list(batch.chunks()) == [["a", "b"], ["c"]]
    assert len(batch) == 0


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_hold_everything_once_and_in_order(items, limit):
    batch = Batch(FakeClock(), limit=limit)
    for item in items:
        batch.add(item)
    chunks = list(batch.chunks())
    assert [item for chunk in chunks for item in chunk] == items
    assert all(len(chunk) <= limit for chunk in chunks)
