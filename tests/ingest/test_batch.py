import contextlib

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

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


def test_large_items_fill_it_until_they_are_stored():
    batch = Batch(FakeClock(), limit=2, max_bytes=300)
    for item in "abc":
        assert not batch.is_overfull
        batch.add(item, 100)
    assert batch.is_overfull
    chunks = batch.chunks()
    next(chunks)
    chunks.close()
    assert batch.is_overfull
    list(batch.chunks())
    assert not batch.is_overfull
    batch.add("d", 100)
    assert not batch.is_overfull


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


class AnyUse(RuleBasedStateMachine):
    """Items come and are stored in whatever turn; storing may fail at any chunk."""

    @initialize(limit=st.integers(1, 5))
    def begin(self, limit):
        self.limit = limit
        self.batch = Batch(FakeClock(), limit=limit)
        self.added, self.stored = 0, []

    @rule(count=st.integers(0, 12))
    def add(self, count):
        for _ in range(count):
            self.batch.add(self.added)
            self.added += 1

    @rule(succeeding=st.integers(0, 4))
    def store(self, succeeding):
        """So many chunks are stored, the next one fails."""
        chunks = self.batch.chunks()
        for chunk in chunks:
            assert 0 < len(chunk) <= self.limit
            if not succeeding:
                chunks.close()
                break
            succeeding -= 1
            self.stored += chunk

    @rule(succeeding=st.integers(0, 4))
    def fail(self, succeeding):
        """The same, by an exception, as in the loop."""
        with contextlib.suppress(ZeroDivisionError):
            for chunk in self.batch.chunks():
                if not succeeding:
                    raise ZeroDivisionError
                succeeding -= 1
                self.stored += chunk

    @invariant()
    def nothing_is_lost_doubled_or_out_of_order(self):
        assert self.stored == list(range(len(self.stored)))
        assert len(self.stored) + len(self.batch) == self.added

    def teardown(self):
        rest = [item for chunk in self.batch.chunks() for item in chunk]
        assert self.stored + rest == list(range(self.added))


test_any_use = AnyUse.TestCase


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_hold_everything_once_and_in_order(items, limit):
    batch = Batch(FakeClock(), limit=limit)
    for item in items:
        batch.add(item)
    chunks = list(batch.chunks())
    assert [item for chunk in chunks for item in chunk] == items
    assert all(len(chunk) <= limit for chunk in chunks)
