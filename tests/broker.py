"""A real mosquitto for tests."""

import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType

import pytest

from tests.waiting import wait_for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def find(program: str, package: str) -> str:
    """The program's path; a failure that says what to install where it is missing."""
    path = shutil.which(program, path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin")
    if path is None:
        pytest.fail(f"{program} is missing: apt-get install {package}")
    return path


class Broker:
    """mosquitto on loopback. Keeps its sessions on disk, so that it can be restarted with them."""

    def __init__(self, folder: Path, *extra: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._extra = extra or ("allow_anonymous true",)
        self._process: subprocess.Popen[bytes] | None = None

    def settings(self) -> list[str]:
        """The lines of its mosquitto.conf."""
        return [
            f"listener {self.port} 127.0.0.1",
            "persistence true",
            f"persistence_location {self.folder}/",
            "max_inflight_messages 2000",
            "max_queued_messages 200000",
            "user root",
            *self._extra,
        ]

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(self.settings()) + "\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([find("mosquitto", "mosquitto"), "-c", config], stdout=log, stderr=log)
        wait_for(lambda: answers(self.port), f"mosquitto answers on port {self.port}")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def unread(self) -> int:
        """Bytes on their way between the broker and its clients: sent and not read yet."""
        ours, total = f":{self.port:04X}", 0
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues = line.split()[:5]
            if local.endswith(ours) or remote.endswith(ours):
                total += sum(int(queue, 16) for queue in queues.split(":"))
        return total

    def kill(self) -> None:
        """As a power cut would: nothing more is written to its disk."""
        assert self._process
        self._process.kill()
        self._process.wait(10)
        self._process = None

    def publish(self, topic: str, payload: str | bytes, *options: str) -> None:
        """Publish with mosquitto_pub, QoS 1; returns once the broker has acknowledged it."""
        program = find("mosquitto_pub", "mosquitto-clients")
        data = payload.encode() if isinstance(payload, str) else payload
        command = [program, "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic, *options]
        command += ["-s"] if data else ["-n"]
        subprocess.run(command, input=data, check=True, timeout=20)

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.stop()
