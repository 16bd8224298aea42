"""Starts all parts of Riser on this machine and stops them together: what `make run` ends with.

Not for production: there systemd runs each part (deploy/).
"""

import json
import logging
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import environ
from honcho import manager as honcho
from honcho.printer import Printer

log = logging.getLogger("riser.run")

PROJECT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 3
READY_SECONDS = 60
TAIL_LINES = 8

BANNER = """
  Riser is running:  {url}

  log in as          resident101@example.org   apartment 101   riser-demo
                     resident201@example.org   apartment 201   riser-demo
                     manager@example.org       (the building)  riser-demo

  publish a reading  mosquitto_pub -h {broker} -p {mqtt_port} -q 1 -t electricity/building/floor/101 \\
                       -m '{{"voltage": 220.5, "current": 2.3, "apartment": "101", "floor": "1"}}'
                     (the simulated meter of 101 then steps aside for a minute)

  stop               Ctrl-C
"""


class RememberingPrinter(Printer):
    """Prints as honcho does, and keeps the last lines of each part for the epitaph."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.tails: dict[str, list[str]] = {}

    def has_heard_of(self, part: str) -> bool:
        """Whether this part has said anything yet."""
        return part in self.tails

    def write(self, message: Any) -> None:
        text = message.data.decode(errors="replace") if isinstance(message.data, bytes) else message.data
        self.tails[message.name] = [*self.tails.get(message.name, []), text.rstrip()][-TAIL_LINES:]
        super().write(message)


class Manager(honcho.Manager):
    """honcho's manager that knows which part ended first."""

    def first_ended(self) -> tuple[str, int] | None:
        """Name and exit status of the part that ended by itself; None where somebody asked for the end."""
        return self._first if not self._asked else None

    def __init__(self, printer: RememberingPrinter) -> None:
        super().__init__(printer)
        self._first: tuple[str, int] | None = None
        self._asked = False

    def terminate(self) -> None:
        if not self._terminating:
            ended = [(name, part["returncode"]) for name, part in self._processes.items() if "returncode" in part]
            self._first = ended[0] if ended else None
            self._asked = not ended
        super().terminate()


def main() -> int:
    """Runs until Ctrl-C (0) or until a part ends (1, with the reason)."""
    env = environ.Env()
    environ.Env.read_env(PROJECT / ".env")
    port, mqtt_port = read_port(env, "PORT", 8000), read_port(env, "MQTT_PORT", 1883)
    own_broker = env.str("MQTT_BROKER", default="")
    refuse_taken_port(port, "PORT")
    if not own_broker:
        refuse_taken_port(mqtt_port, "MQTT_PORT")
    printer = RememberingPrinter()
    manager = Manager(printer)
    honcho.KILL_WAIT = STOP_SECONDS
    for name, command in commands(port, embedded_broker=not own_broker).items():
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PORT": str(port)}
        manager.add_process(name, command, env=environment, cwd=str(PROJECT))
    banner = BANNER.format(url=f"http://127.0.0.1:{port}/", broker=own_broker or "127.0.0.1", mqtt_port=mqtt_port)
    threading.Thread(target=announce, args=(port, printer, banner), daemon=True).start()
    manager.loop()
    ended = manager.first_ended()
    if ended is None:
        print("Riser has stopped.")
        return 0
    print(f"\nRiser has stopped because {ended[0]} ended (exit status {ended[1]}). Its last lines:")
    print("\n".join(f"  {line}" for line in printer.tails.get(ended[0], ["(none)"])))
    return 1


def commands(port: int, embedded_broker: bool) -> dict[str, str]:
    """The parts, in the order in which they start."""
    manage = f"exec {sys.executable} manage.py"
    parts = {
        "broker": f"{manage} mqtt_broker",
        "listener": f"{manage} mqtt_listen",
        "meters": f"{manage} simulate_meters",
        "housekeep": f"{manage} housekeep --every 60",
        "web": f"exec {sys.executable} -m uvicorn config.asgi:application --host 127.0.0.1 --port {port} "
        "--lifespan off --no-access-log --log-level warning --timeout-graceful-shutdown 2",
    }
    if not embedded_broker:
        del parts["broker"]
    return parts


def read_port(env: environ.Env, variable: str, default: int) -> int:
    """The port a variable names; ends with a sentence to act on where it names none."""
    given = env.str(variable, default=str(default))
    if not given.isdigit() or not 0 < int(given) < 65536:
        sys.exit(f"{variable} must be a port, a number from 1 to 65535; it is {given!r}.")
    return int(given)


def refuse_taken_port(port: int, variable: str) -> None:
    """Ends with a sentence to act on where somebody else has the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit(f"Port {port} is taken ({error.strerror}). Choose another: {variable}={port + 1} make run")


def announce(port: int, printer: RememberingPrinter, banner: str) -> None:
    """Print the banner once the web answers, the listener has reached the broker and the meters publish."""
    ready = f"http://127.0.0.1:{port}/readyz"
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(ready, timeout=2) as answer:
                if json.load(answer).get("broker") == "connected" and printer.has_heard_of("meters"):
                    print(banner, flush=True)
                    return
        except (urllib.error.URLError, OSError) as error:
            log.debug("not ready: %s", error)
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
