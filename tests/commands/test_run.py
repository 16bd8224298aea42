"""What `make run` ends with: all parts together."""

import os
import re
import signal
import time

import pytest

from tests.broker import Broker, answers, free_port
from tests.waiting import wait_for

pytestmark = pytest.mark.sqlite


@pytest.fixture
def ports():
    return {"PORT": str(free_port()), "MQTT_PORT": str(free_port()), "MQTT_BROKER": ""}


@pytest.fixture
def house(installation):
    installation.make_house("101")
    installation.execute("UPDATE accounts_building SET slug = 'building'")
    return installation


def parts_of(riser):
    """Process ids that the runner has named, by part."""
    return {name: int(pid) for name, pid in re.findall(r"(\w+) started \(pid=(\d+)\)", riser.said)}


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_everything_starts_and_ctrl_c_stops_it(house, ports):
    riser = house.start_everything(**ports)
    riser.wait_until_it_says("Ctrl-C")
    assert f"http://127.0.0.1:{ports['PORT']}/" in riser.said
    assert f"mosquitto_pub -h 127.0.0.1 -p {ports['MQTT_PORT']} -q 1 -t electricity/building/floor/101" in riser.said
    wait_for(house.readings, "the simulated meter is heard")
    pids = parts_of(riser)
    assert set(pids) == {"broker", "listener", "meters", "housekeep", "web"}
    began = time.monotonic()
    riser.signal(signal.SIGINT)
    assert riser.wait() == 0
    assert time.monotonic() - began < 5
    assert not [name for name, pid in pids.items() if alive(pid)]
    assert "Riser has stopped.\n" in riser.said


def test_where_a_part_ends_all_end_and_the_last_lines_say_why(house, ports):
    riser = house.start_everything(**ports)
    riser.wait_until_it_says("Ctrl-C")
    pids = parts_of(riser)
    os.kill(pids["listener"], signal.SIGKILL)
    assert riser.wait() == 1
    assert not [name for name, pid in pids.items() if alive(pid)]
    last = riser.said.rpartition("\nRiser has stopped")[2]
    assert "because listener ended (exit status -9). Its last lines:" in last
    assert "connected to the broker" in last


@pytest.mark.parametrize("variable", ["PORT", "MQTT_PORT"])
def test_a_taken_port_is_named_with_its_variable(house, ports, tmp_path, variable):
    with Broker(tmp_path) as taken:
        riser = house.start_everything(**ports | {variable: str(taken.port)})
        assert riser.wait() == 1
        assert f"Port {taken.port} is taken" in riser.said
        assert f"{variable}={taken.port + 1} make run" in riser.said


@pytest.mark.parametrize("port", ["abc", "70000", "-1"])
def test_what_is_no_port_is_named(house, ports, port):
    riser = house.start_everything(**ports | {"PORT": port})
    assert riser.wait() == 1
    assert riser.said == f"PORT must be a port, a number from 1 to 65535; it is '{port}'.\n"


def test_with_a_broker_of_ones_own_none_is_started(house, ports, broker):
    riser = house.start_everything(**ports | {"MQTT_BROKER": "127.0.0.1", "MQTT_PORT": str(broker.port)})
    riser.wait_until_it_says("Ctrl-C")
    assert "broker" not in parts_of(riser)
    assert not answers(int(ports["MQTT_PORT"]))
    wait_for(house.readings, "the simulated meter is heard")
