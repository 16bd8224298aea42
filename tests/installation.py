"""Riser as an operator runs it: its commands as processes, on a database of their own."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.broker import answers, free_port
from tests.databases import Database, Template
from tests.waiting import wait_for

PROJECT = Path(__file__).resolve().parent.parent


def environment(database_url: str, folder: Path, mqtt_port: int, **more: str) -> dict[str, str]:
    """The settings of an installation for trying out."""
    settings = {
        "DEBUG": "on",
        "SECRET_KEY": "only for tests, only for tests, only for tests, only for tests",
        "DATABASE_URL": database_url,
        "MQTT_BROKER": "127.0.0.1",
        "MQTT_PORT": str(mqtt_port),
        "MQTT_USERNAME": "",
        "MQTT_PASSWORD": "",
        "MQTT_TOPIC": "electricity/+/floor/+",
        "MQTT_CLIENT_ID": f"listener-{folder.name}",
        "EMAIL_URL": "consolemail://",
        "PYTHONUNBUFFERED": "1",
    }
    return os.environ | settings | more


def run_manage(env: dict[str, str], *arguments: str) -> str:
    """Standard output of a command; fails with what it said where it failed."""
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def import_apartments(env: dict[str, str], folder: Path, numbers: tuple[str, ...]) -> None:
    """Into the building `house`."""
    file = folder / "apartments.csv"
    file.write_text("number,floor\n" + "".join(f"{number},{number[0]}\n" for number in numbers))
    run_manage(env, "import_apartments", "house", str(file))


class Templates:
    """Databases to copy: Riser's own commands make each once, which takes longer than most tests."""

    def __init__(self, template: Template, folder: Path) -> None:
        self._folder = folder
        for command in ("migrate", "createcachetable"):
            run_manage(environment(template.url, folder, 1), command)
        self._made: dict[tuple[str, ...], Template] = {(): template}

    def copy(self, folder: Path, *numbers: str) -> Database:
        """All tables, and nothing in them but the building `house` with these apartments."""
        if numbers not in self._made:
            self._made[numbers] = self._with_house(numbers)
        return self._made[numbers].copy(folder)

    def _with_house(self, numbers: tuple[str, ...]) -> Template:
        folder = self._folder / str(len(self._made))
        folder.mkdir()
        template = self._made[()].another(folder)
        import_apartments(environment(template.url, folder, 1), folder, numbers)
        return template

    def drop(self) -> None:
        for template in self._made.values():
            template.drop()


class Process:
    """A running command and what it has said so far."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, cwd=PROJECT, env=env, stdout=output, stderr=subprocess.STDOUT)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_until_it_says(self, words: str) -> None:
        def spoken() -> bool:
            assert self._process.poll() is None or words in self.said, f"ended without saying {words!r}: {self.said}"
            return words in self.said

        wait_for(spoken, f"{words!r} in {self._log.name}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self, timeout: float = 10.0) -> int:
        """The exit status."""
        return self._process.wait(timeout)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Installation:
    """One database, one broker, any number of processes."""

    def __init__(self, folder: Path, templates: Templates, mqtt_port: int, **settings: str) -> None:
        self.folder = folder
        self._templates = templates
        self.database = templates.copy(folder)
        self.env = environment(self.database.url, folder, mqtt_port, **settings)
        self.processes: list[Process] = []
        self.web_port = free_port()

    def manage(self, *arguments: str) -> str:
        return run_manage(self.env, *arguments)

    def examine(self) -> str:
        """What the doctor says, be it well or not."""
        command = [sys.executable, "manage.py", "doctor"]
        return subprocess.run(command, cwd=PROJECT, env=self.env, capture_output=True, text=True, timeout=60).stdout

    def start(self, *arguments: str, **settings: str) -> Process:
        """Start a command and leave it running."""
        log = self.folder / f"{len(self.processes)}-{arguments[0]}.log"
        process = Process([sys.executable, "manage.py", *arguments], self.env | settings, log)
        self.processes.append(process)
        return process

    def start_everything(self, **settings: str) -> Process:
        """What `make run` ends with."""
        process = Process([sys.executable, "scripts/run.py"], self.env | settings, self.folder / "run.log")
        self.processes.append(process)
        return process

    def start_listener(self, **settings: str) -> Process:
        listener = self.start("mqtt_listen", **settings)
        listener.wait_until_it_says("connected to the broker")
        return listener

    def start_web(self) -> str:
        """The address of a web server that answers; the same one every time."""
        port = self.web_port
        command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--lifespan", "off", "--timeout-graceful-shutdown", "1"]
        self.web = Process(command, self.env | {"SITE_URL": f"http://127.0.0.1:{port}"}, self.folder / "web.log")
        self.processes.append(self.web)
        wait_for(lambda: answers(port), "the web server answers")
        return f"http://127.0.0.1:{port}"

    def make_house(self, *numbers: str) -> None:
        """A building `house` with these apartments, and nothing else."""
        assert not self.processes, "they would lose their database"
        self.database.drop()
        self.database = self._templates.copy(self.folder, *numbers)
        self.env["DATABASE_URL"] = self.database.url

    def import_apartments(self, *numbers: str) -> None:
        """Add them to the building `house` while its listener runs."""
        import_apartments(self.env, self.folder, numbers)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows as the database's own driver gives them; `?` stands for a parameter."""
        return self.database.query(sql, *parameters)

    def execute(self, sql: str) -> None:
        self.database.execute(sql)

    def readings(self) -> list[tuple[str, float]]:
        """Apartment number and power of every reading, in the order of receipt."""
        return self.query(
            "SELECT a.number, r.power FROM metering_reading r JOIN metering_meter m ON m.id = r.meter_id"
            " LEFT JOIN accounts_apartment a ON a.id = m.apartment_id ORDER BY r.id"
        )

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Another writer holds the database."""
        return self.database.locked()

    def __enter__(self) -> "Installation":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        for process in self.processes:
            process.end()
        self.database.drop()
