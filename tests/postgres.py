"""A real PostgreSQL for tests. `python -m tests.postgres COMMAND...` runs a command with one of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
import pytest

from tests.broker import free_port
from tests.waiting import wait_for

SERVER = "TEST_POSTGRES"
"""The environment variable with the address of the server to test on. Without it: SQLite."""
STOP = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def find_server(program: str) -> str:
    """The path of one of the server's programs; a failure that says what to install where it is missing."""
    # Debian keeps them off the PATH, a folder for each version: the newest.
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    path = shutil.which(program, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    if path is None:
        pytest.fail(f"PostgreSQL's server ({program}) is missing: apt-get install postgresql")
    return path


class Server:
    """A server that runs, by its address: postgres://user@host:port."""

    def __init__(self, address: str) -> None:
        self.address = address

    def url(self, name: str) -> str:
        """What DATABASE_URL is for the database of that name."""
        return f"{self.address}/{name}"

    def execute(self, sql: str) -> None:
        """Outside of any transaction, in the server's own database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql)

    def create_database(self, name: str, template: str | None = None) -> None:
        """An empty database, or a copy of one that nobody is connected to."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')

    def drop_database(self, name: str) -> None:
        """Whoever is connected to it loses the connection."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class Cluster(Server):
    """PostgreSQL on loopback with a folder and a port of its own, removed at the end. Everybody here may log in."""

    def __init__(self, *, fsync: bool = True) -> None:
        self.port = free_port()
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None
        super().__init__(f"postgres://postgres@127.0.0.1:{self.port}")

    @property
    def said(self) -> str:
        """The server's log."""
        return (self.folder / "postgres.log").read_text()

    @property
    def pid(self) -> int:
        assert self._process, "the server is stopped"
        return self._process.pid

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 100,
            "shared_buffers": "32MB",
            "fsync": "on" if self._fsync else "off",
        }
        command = [find_server("postgres"), "-D", str(self.folder / "data")]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "postgres.log").open("ab") as log:
            # In a session of its own Ctrl-C does not end it before those who use it.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self._as_user()
            )
        wait_for(self._answers, f"PostgreSQL answers on port {self.port}")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: the next start recovers from the log."""
        if self._process:
            self._process.send_signal(STOP[mode])
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, f"PostgreSQL ended: {self.said}"
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _make(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        command = [find_server("initdb"), "--pgdata", str(self.folder / "data"), "--username", "postgres"]
        command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, **self._as_user())
        assert made.returncode == 0, made.stderr

    def _as_user(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root; Debian's package makes a user for it."""
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        return {"cwd": self.folder, **user}

    def _remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def __enter__(self) -> "Cluster":
        find_server("postgres")
        # Not in pytest's tmp_path: PostgreSQL runs as a user who cannot reach into root's folders.
        self.folder = Path(tempfile.mkdtemp(prefix="riser-postgres-"))
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove)
            self._make()
            self.start()
            undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._remove()


def main(command: list[str]) -> int:
    """The command's exit status. It finds the server in TEST_POSTGRES."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with Cluster(fsync=False) as cluster:
        # A session of its own: Ctrl-C must reach it once, not twice.
        process = subprocess.Popen(command, env=os.environ | {SERVER: cluster.address}, start_new_session=True)
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            status = process.wait()
    # As a shell tells of a signal.
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("python -m tests.postgres COMMAND...")
    try:
        sys.exit(main(sys.argv[1:]))
    except pytest.fail.Exception as missing:
        sys.exit(str(missing))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
