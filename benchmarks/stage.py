"""What benchmarks stand on: a house, a broker with a backlog, and a client that drains it in a process of its own."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

PROJECT = Path(__file__).resolve().parent.parent
METERS = 400
FILTER = "electricity/+/floor/+"
# As deploy/mosquitto.conf has them, but for a backlog of any length.
LIMITS = ("allow_anonymous true", "max_inflight_messages 5000", "max_queued_messages 1000000", "log_type error")
DRAINED_WITHIN = 600.0


def use(database_url: str, mqtt_port: int) -> None:
    """Point this process, and those it starts, at a database and a broker."""
    settings = {"DATABASE_URL": database_url, "MQTT_BROKER": "127.0.0.1", "MQTT_PORT": str(mqtt_port)}
    settings |= {
        "DEBUG": "off",
        "ALLOWED_HOSTS": "testserver",
        "HTTPS": "off",
        "SECRET_KEY": "bench" * 10,
        "REQUIRE_MANAGER_2FA": "off",
    }
    os.environ.update(settings | {"ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "config.settings"})


def setup_django() -> None:
    """Load Django with the settings of this process."""
    import django

    django.setup()


def make_house() -> None:
    """The tables, and one building of 400 apartments with a meter each."""
    setup_django()
    from django.core.management import call_command

    from accounts.models import Apartment, Building
    from metering.models import Meter

    for command in ("migrate", "createcachetable"):
        call_command(command, verbosity=0)
    building = Building.objects.create(slug="house", name="House")
    apartments = [Apartment(building=building, number=str(1000 + number), floor="1") for number in range(METERS)]
    Meter.objects.ensure_native(Apartment.objects.bulk_create(apartments))


def in_own_process(*arguments: str) -> dict[str, float]:
    """What one of the functions at the end of this module prints, run with the settings of this process."""
    command = [sys.executable, "-m", "benchmarks.stage", *arguments]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def leave_backlog(port: int, messages: int, client_ids: list[str]) -> None:
    """Leave this many messages waiting at the broker for each of these clients."""
    for client_id in client_ids:
        _leave_session(port, client_id)
    with publisher(port) as writer:
        for number in range(messages):
            writer.publish(f"electricity/house/floor/{1000 + number % METERS}", payload(number), qos=1)
            if number % 5000 == 4999:
                _wait_until_published(writer)
        _wait_until_published(writer)


def payload(number: int) -> str:
    """A plausible reading that differs from its neighbours."""
    return f'{{"voltage": {229 + number % 30 / 10}, "current": {number % 1000 / 100}}}'


@contextlib.contextmanager
def publisher(port: int) -> Iterator[mqtt.Client]:
    """A connected client that publishes in a thread."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def _wait_until_published(client: mqtt.Client) -> None:
    client.publish("bench/mark", b"", qos=1).wait_for_publish(60)


def forget(port: int, *client_ids: str) -> None:
    """End the sessions of these clients, so that what is published later does not wait for them as well."""
    for client_id in client_ids:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        client.connect("127.0.0.1", port)
        while not client.is_connected():
            client.loop(0.1)
        client.disconnect()


def _leave_session(port: int, client_id: str) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    granted: list[int] = []
    client.on_subscribe = lambda *_: granted.append(1)
    client.connect("127.0.0.1", port)
    client.subscribe(FILTER, qos=1)
    while not granted:
        client.loop(0.1)
    client.disconnect()


def drain_bare(port: int, client_id: str, messages: int) -> float:
    """Seconds that paho takes to receive and acknowledge them all with an empty callback."""
    count = 0

    def on_message(*_: object) -> None:
        nonlocal count
        count += 1

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    began = time.perf_counter()
    while count < messages:
        client.loop(1)
    took = time.perf_counter() - began
    client.disconnect()
    return took


def drain_listener(port: int, client_id: str, messages: int) -> float:
    """Seconds that the listener takes to store and acknowledge them all."""
    setup_django()
    from django.utils import timezone

    from metering.ingest.decoders import Limits
    from metering.ingest.listener import Listener, build_client
    from metering.ingest.loop import Loop
    from metering.ingest.store import DatabaseStore
    from metering.models import Reading

    newest = Reading.objects.order_by("-pk").values_list("pk", flat=True)
    before = newest.first() or 0
    listener = Listener(build_client(client_id, "", "", None), "127.0.0.1", port, FILTER, time.monotonic, timezone.now)
    loop = Loop(listener, DatabaseStore(client_id, timezone.now), time.monotonic, "", Limits())
    began = time.perf_counter()
    while (newest.first() or 0) < before + messages:
        loop.step()
        assert time.perf_counter() - began < DRAINED_WITHIN, "the backlog is not drained"
    took = time.perf_counter() - began
    loop.farewell()
    listener.close()
    assert Reading.objects.filter(pk__gt=before).count() == messages, "readings are missing"
    return took


def main(what: str, port: str, client_id: str, messages: str) -> None:
    """Run one of the two and print how long it took and how much memory."""
    drain = {"bare": drain_bare, "listener": drain_listener}[what]
    seconds = drain(int(port), client_id, int(messages))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": int(messages) / seconds, "peak_mib": peak}))


if __name__ == "__main__":
    if sys.argv[1] == "house":
        make_house()
        print("{}")
    else:
        main(*sys.argv[1:])
