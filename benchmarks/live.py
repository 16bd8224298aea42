"""From the meter to the browser: 400 meters at one reading a second through a real broker, and real streams of /live.

The real listener and one real uvicorn process on SQLite. Every reading carries the moment in which its meter measured
it; a stream's reader, in a process beside, notes when the event arrives. Three rounds: 50 streams; 2,000 of them;
and 50 beside as many clients that never read.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import stage
from benchmarks.steady import cpu_seconds, peak_mib
from benchmarks.table import row, section
from tests.broker import Broker, answers, free_port
from tests.waiting import wait_for

SECONDS = int(os.environ.get("SECONDS", "30"))
FEW, MANY = 50, 2000
P50_LIMIT_MS, P99_LIMIT_MS = 150.0, 500.0


def main() -> None:
    """Print the rows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name, Broker(Path(name), *stage.LIMITS) as broker:
        stage.use(f"sqlite:///{name}/bench.sqlite3", broker.port)
        os.environ["STATIC_ROOT"] = f"{name}/static"
        stage.make_house()
        cookies = _log_in()
        with _running("manage.py", "mqtt_listen"):
            _wait_until_listening()
            section(f"Live, {stage.METERS} meters at one reading a second for {SECONDS} s, SQLite, one web process")
            for streams, deaf in ((FEW, 0), (MANY, 0), (FEW, FEW)):
                _one_round(broker.port, [cookies[n % len(cookies)] for n in range(streams)], deaf)


def _log_in() -> list[str]:
    """A resident of each apartment, and the key of a session of theirs."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from accounts.models import Apartment, Tenancy, User

    keys = []
    for home in Apartment.objects.all():
        user = User.objects.create(email=f"{home.number}@example.org", password="!")
        Tenancy.objects.create(apartment=home, moved_in="2020-01-01").residents.add(user)
        session = SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
        session.save()
        keys.append(session.session_key)
    return keys


@contextlib.contextmanager
def _running(*arguments: str) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, *arguments], cwd=stage.PROJECT, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_until_listening() -> None:
    from metering.models import ListenerState

    wait_for(ListenerState.objects.filter(broker_connected=True).exists, "the listener is connected")


def _one_round(mqtt_port: int, keys: Sequence[str], deaf: int) -> None:
    port = free_port()
    web = ("-m", "uvicorn", "config.asgi:application", "--port", str(port), "--lifespan", "off", "--no-access-log",
           "--timeout-graceful-shutdown", "5")  # fmt: skip
    with _running(*web) as pid:
        wait_for(lambda: answers(port), "uvicorn answers")
        delays, cpu = asyncio.run(_watch(port, mqtt_port, keys, deaf, pid))
        words = f"{len(keys):,} streams" + (f" beside {deaf} that never read" if deaf else "")
        p50, p99 = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
        row(f"{words}: meter to event, p50", [p50], "ms", p50 / P50_LIMIT_MS, f"of {P50_LIMIT_MS:.0f} ms")
        row(f"{words}: meter to event, p99", [p99], "ms", p99 / P99_LIMIT_MS, f"of {P99_LIMIT_MS:.0f} ms")
        row("events missing", [float(len(keys) * SECONDS - len(delays))], "")
        row("web process's share of one processor", [100 * cpu], "%")
        row("web process's memory at most", [peak_mib(pid)], "MiB")


async def _watch(port: int, mqtt_port: int, keys: Sequence[str], deaf: int, pid: int) -> tuple[list[float], float]:
    """The delays in ms of all events of all streams, sorted, and the web process's share of a processor."""
    delays: list[float] = []
    streams = [await _open(port, key) for key in keys]
    dead = [_open_deaf(port, keys[number]) for number in range(deaf)]
    readers = [asyncio.create_task(_read(stream, delays)) for stream in streams]
    used, began = cpu_seconds(pid), time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.live", "publish", str(mqtt_port)]
    publisher = await asyncio.create_subprocess_exec(*command, cwd=stage.PROJECT)
    await publisher.wait()
    # What is still on its way has this long; what comes later counts as missing.
    await asyncio.sleep(2)
    share = (cpu_seconds(pid) - used) / (time.perf_counter() - began)
    for task in readers:
        task.cancel()
    for connection in dead:
        connection.close()
    return sorted(delays), share


def _request(key: str) -> bytes:
    return f"GET /live HTTP/1.1\r\nHost: testserver\r\nCookie: sessionid={key}\r\n\r\n".encode()


async def _open(port: int, key: str) -> asyncio.StreamReader:
    """A stream whose first event has been read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request(key))
    reader.writer = writer  # type: ignore[attr-defined]  # else it is collected, and closes
    while not (await reader.readline()).startswith(b"data:"):
        pass
    return reader


def _open_deaf(port: int, key: str) -> socket.socket:
    """A stream that reads how things stand, and never again: that it begins costs the others, as with any page."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    connection.connect(("127.0.0.1", port))
    connection.sendall(_request(key))
    heard = b""
    while b"data:" not in heard:
        heard += connection.recv(1024)
    return connection


async def _read(stream: asyncio.StreamReader, delays: list[float]) -> None:
    while line := await stream.readline():
        if line.startswith(b"data:") and b"timestamp" in line and (taken := json.loads(line[5:])["timestamp"]):
            delays.append((time.time() - dt.datetime.fromisoformat(taken).timestamp()) * 1000)


def publish(mqtt_port: int) -> None:
    """A reading of every meter each second, evenly."""
    number, began = 0, time.perf_counter()
    with stage.publisher(mqtt_port) as meters:
        while number < SECONDS * stage.METERS:
            while number < min(SECONDS * stage.METERS, (time.perf_counter() - began) * stage.METERS):
                taken = dt.datetime.now(dt.UTC).isoformat()
                text = f'{{"voltage": 230.0, "current": {number / 1000}, "timestamp": "{taken}"}}'
                last = meters.publish(f"electricity/house/floor/{1000 + number % stage.METERS}", text, qos=1)
                number += 1
            time.sleep(0.001)
        last.wait_for_publish(60)


if __name__ == "__main__":
    if sys.argv[1:2] == ["publish"]:
        publish(int(sys.argv[2]))
    else:
        main()
