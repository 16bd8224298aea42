import signal

import pytest

from metering.demo.meters import SimulatedMeter
from tests.broker import Broker
from tests.factories import ApartmentFactory
from tests.fakes import NOON
from tests.installation import run_manage
from tests.waiting import wait_for

pytestmark = pytest.mark.sqlite


@pytest.fixture
def demo(installation):
    installation.make_house("101", "102", "201")
    return installation


def test_its_readings_arrive_as_those_of_real_meters(demo):
    demo.start_listener()
    demo.manage("simulate_meters", "--building", "house", "--interval", "0", "--count", "7")
    wait_for(lambda: len(demo.readings()) == 7, "seven readings are stored")
    assert sorted({number for number, _ in demo.readings()}) == ["101", "102", "201"]
    assert all(10 < power < 9000 for _, power in demo.readings())


def test_only_some_apartments(demo):
    demo.start_listener()
    demo.manage("simulate_meters", "--building", "house", "--apartments", "1", "--interval", "0", "--count", "2")
    wait_for(lambda: len(demo.readings()) == 2, "two readings are stored")
    assert {number for number, _ in demo.readings()} == {"101"}


def test_a_meter_steps_aside_where_somebody_publishes_by_hand(demo, broker):
    demo.start_listener()
    meters = demo.start("simulate_meters", "--building", "house", "--interval", "0.05")
    meters.wait_until_it_says("3 meters publish every 0.05 s")
    wait_for(lambda: len(demo.readings()) > 6, "the meters publish")
    broker.publish("electricity/house/floor/101", '{"voltage": 220.5, "current": 2.3}')

    def quiet():
        numbers = [number for number, _ in demo.readings()[-20:]]
        return "101" not in numbers

    wait_for(quiet, "the meter of 101 is silent while others go on")
    # At this pace one simulated reading may have been under way.
    last = [power for number, power in demo.readings() if number == "101"][-2:]
    assert pytest.approx(507.15) in last
    meters.signal(signal.SIGTERM)
    assert meters.wait() == 0


@pytest.mark.django_db
def test_equal_messages_of_its_own_do_not_silence_a_meter():
    meter = SimulatedMeter(ApartmentFactory())
    first, second = meter.message(NOON, 0.0), meter.message(NOON, 0.0)
    assert first == second
    meter.heard(first, 0.0)
    meter.heard(second, 0.0)
    assert meter.message(NOON, 1.0)
    meter.heard(first, 1.0)
    meter.heard(b"by hand", 1.0)
    assert meter.message(NOON, 60.9) is None
    assert meter.message(NOON, 61.1)


def test_a_building_that_does_not_exist_is_named(demo):
    with pytest.raises(AssertionError, match="There is no building nowhere with apartments"):
        demo.manage("simulate_meters", "--building", "nowhere")


def test_a_broker_that_is_not_there_does_not_keep_it_from_ending(demo, tmp_path):
    absent = Broker(tmp_path)
    meters = demo.start("simulate_meters", "--building", "house", MQTT_PORT=str(absent.port))
    meters.signal(signal.SIGTERM)
    assert meters.wait() != 1
    assert run_manage(demo.env, "check")
