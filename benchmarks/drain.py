"""How fast the listener drains a backlog, against paho with an empty callback on the same broker.

100,000 QoS 1 messages of 400 apartments wait at a mosquitto of the benchmark's own. Once they are
taken by a bare paho client that acknowledges each and stores nothing, and once by the listener, which
stores every reading through the ORM (synchronous=FULL) and acknowledges after the commit. Prints the
medians of five runs each and their ratio; 1 would mean that storing costs nothing. Higher is better.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

MESSAGES = int(os.environ.get("MESSAGES", "100000"))
METERS = 400
ROUNDS = int(os.environ.get("ROUNDS", "5"))
FLOOR, GOAL = 0.22, 0.35
FILTER = "electricity/+/floor/+"
CLIENT = "bench-listener"


def prepare(folder: Path, mqtt_port: int) -> None:
    """Point Django at an empty database with one building of 400 apartments."""
    settings = {"DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3", "DEBUG": "off", "ALLOWED_HOSTS": "testserver"}
    os.environ.update(settings | {"ENV_FILE": os.devnull, "SECRET_KEY": "bench" * 10, "MQTT_PORT": str(mqtt_port)})
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.models import Apartment, Building
    from metering.models import Meter

    call_command("migrate", verbosity=0)
    building = Building.objects.create(slug="house", name="House")
    apartments = [Apartment(building=building, number=str(1000 + number), floor="1") for number in range(METERS)]
    Meter.objects.ensure_native(Apartment.objects.bulk_create(apartments))


def fill(port: int, client_id: str) -> None:
    """Leave the messages waiting at the broker for this client."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    reader = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    granted: list[int] = []
    reader.on_subscribe = lambda *_: granted.append(1)
    reader.connect("127.0.0.1", port)
    reader.subscribe(FILTER, qos=1)
    while not granted:
        reader.loop(0.1)
    reader.disconnect()
    writer = mqtt.Client(CallbackAPIVersion.VERSION2)
    writer.max_inflight_messages_set(1000)
    writer.max_queued_messages_set(0)
    writer.connect("127.0.0.1", port)
    writer.loop_start()
    for number in range(MESSAGES):
        payload = f'{{"voltage": {229 + number % 30 / 10}, "current": {number % 1000 / 100}}}'
        last = writer.publish(f"electricity/house/floor/{1000 + number % METERS}", payload, qos=1)
        if number % 5000 == 0:
            last.wait_for_publish()
    last.wait_for_publish()
    writer.disconnect()
    writer.loop_stop()


def drain_bare(port: int) -> float:
    """Seconds that paho takes to receive and acknowledge everything with an empty callback."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    fill(port, "bench-bare")
    count = 0

    def on_message(*_: object) -> None:
        nonlocal count
        count += 1

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-bare", clean_session=False)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    began = time.perf_counter()
    while count < MESSAGES:
        client.loop(1)
    took = time.perf_counter() - began
    client.disconnect()
    return took


def drain_listener(port: int) -> float:
    """Seconds that the listener takes to store and acknowledge everything."""
    from django.utils import timezone

    from metering.ingest.decoders import Limits
    from metering.ingest.listener import Listener, build_client
    from metering.ingest.loop import Loop
    from metering.ingest.store import DatabaseStore
    from metering.models import Reading

    fill(port, CLIENT)
    before = Reading.objects.count()
    client = build_client(CLIENT, "", "", None)
    listener = Listener(client, "127.0.0.1", port, FILTER, time.monotonic, timezone.now)
    store = DatabaseStore(CLIENT, timezone.now)
    loop = Loop(listener, store, time.monotonic, "", Limits())
    began = time.perf_counter()
    while True:
        loop.step()
        if Reading.objects.order_by("-pk").values_list("pk", flat=True).first() == before + MESSAGES:
            break
    took = time.perf_counter() - began
    listener.close()
    assert Reading.objects.count() == before + MESSAGES
    return took


def in_own_process(function: Callable[[int], float], port: int) -> float:
    """Measured in a fork, so that one run's memory is not another's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, f"{function(port)} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    seconds, memory = os.read(reader, 100).decode().split()
    if function is drain_listener:
        peaks.append(int(memory) / 1024)
    return float(seconds)


peaks: list[float] = []


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from tests.broker import Broker

        with Broker(folder, "allow_anonymous true", "max_inflight_messages 5000") as broker:
            prepare(folder, broker.port)
            from django.db import connections

            rates: dict[str, list[float]] = {"paho, empty callback": [], "listener": []}
            for _ in range(ROUNDS):
                connections.close_all()
                rates["paho, empty callback"].append(MESSAGES / in_own_process(drain_bare, broker.port))
                rates["listener"].append(MESSAGES / in_own_process(drain_listener, broker.port))
    version = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True).stdout.split("\n")[0]
    print(f"draining {MESSAGES:,} messages, median of {ROUNDS}, {version}, Python {sys.version.split()[0]}")
    for what, values in rates.items():
        print(f"  {what:22} {statistics.median(values):9,.0f}/s   ({min(values):,.0f} to {max(values):,.0f})")
    ratio = statistics.median(rates["listener"]) / statistics.median(rates["paho, empty callback"])
    print(f"  ratio {ratio:.2f} (floor {FLOOR}, goal {GOAL}); listener's peak memory {max(peaks):.0f} MiB")


if __name__ == "__main__":
    main()
