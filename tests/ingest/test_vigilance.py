import logging
from collections import Counter

import pytest

from metering.ingest.vigilance import ENOUGH, HOUR, Vigilance
from tests.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def vigilance(clock, caplog):
    caplog.set_level(logging.INFO)
    return Vigilance(clock)


def test_a_meter_that_publishes_with_qos_0_is_warned_of_once_an_hour(vigilance, clock, caplog):
    for _ in range(3):
        vigilance.heard_at_qos_0([(1, "electricity/house/floor/101"), (2, "electricity/house/floor/201")])
    assert len(caplog.records) == 2
    assert "electricity/house/floor/101 publishes with QoS 0" in caplog.messages[0]
    clock.advance(HOUR)
    vigilance.heard_at_qos_0([(1, "electricity/house/floor/101")])
    assert len(caplog.records) == 3


def test_if_nearly_everything_is_refused_it_says_so_and_why(vigilance, caplog):
    vigilance.stored(ENOUGH, Counter(missing=ENOUGH - 20, not_json=5))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert f"{ENOUGH - 15} of the last {ENOUGH} messages were refused, most of them as missing" in record.message


def test_it_does_not_repeat_itself_within_the_hour(vigilance, clock, caplog):
    for _ in range(5):
        vigilance.stored(ENOUGH, Counter(missing=ENOUGH))
    assert len(caplog.records) == 1
    clock.advance(HOUR)
    vigilance.stored(ENOUGH, Counter(missing=ENOUGH))
    assert len(caplog.records) == 2


def test_some_refusals_are_some_broken_meters(vigilance, caplog):
    for _ in range(50):
        vigilance.stored(ENOUGH // 10, Counter(missing=ENOUGH // 20))
    assert caplog.records == []


def test_a_few_messages_prove_nothing(vigilance, caplog):
    vigilance.stored(ENOUGH - 1, Counter(missing=ENOUGH - 1))
    assert caplog.records == []
