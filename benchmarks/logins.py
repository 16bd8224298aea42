"""Twenty people log in at the same moment: what memory the web process takes, and how long they wait.

Starts the web server as deploy/systemd/riser-web.service does, on a database of its own, and sends the
form of twenty accounts at once. Beside Riser's cost of a password, Django's default one (Argon2 with
100 MiB) as the peer. Peak memory is the process's VmHWM; its ratio to 1 GB must leave room for the
listener, the database and the system.
"""

import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import stage
from benchmarks.table import row, section
from tests.broker import answers, free_port
from tests.waiting import wait_for

PEOPLE = 20
ROUNDS = 5
PASSWORD = "correct horse 7"
GIGABYTE_MB = 1000


def prepare() -> None:
    """The tables and twenty accounts, their passwords hashed as the settings of this process say."""
    stage.setup_django()
    from django.core.management import call_command

    from accounts.models import User

    for command in ("migrate", "createcachetable"):
        call_command(command, verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False, link=True)
    for number in range(PEOPLE):
        User.objects.create_user(_email(number), PASSWORD)


def _email(number: int) -> str:
    return f"resident{number}@example.org"


class Browser:
    """One visitor with cookies and an address of their own."""

    def __init__(self, port: int, number: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"X-Forwarded-For": f"10.0.0.{number + 1}", "Referer": f"http://127.0.0.1:{port}/login"}
        self._number = number

    def open_form(self) -> None:
        """Get the log-in page, its cookie and its token."""
        self._connection.request("GET", "/login", headers=self._headers)
        answer = self._connection.getresponse()
        page = answer.read().decode()
        self._headers["Cookie"] = str(answer.headers["Set-Cookie"]).partition(";")[0]
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found, f"no form: {answer.status}"
        self._token = found[1]

    def send_form(self) -> float:
        """Seconds until the log-in was answered."""
        fields = {"csrfmiddlewaretoken": self._token, "email": _email(self._number), "password": PASSWORD}
        headers = self._headers | {"Content-Type": "application/x-www-form-urlencoded"}
        began = time.perf_counter()
        self._connection.request("POST", "/login", urlencode(fields | {"apartment": ""}), headers)
        answer = self._connection.getresponse()
        answer.read()
        took = time.perf_counter() - began
        assert (answer.status, answer.headers["Location"]) == (302, "/"), f"not logged in: {answer.status}"
        return took


def log_in_all(port: int) -> list[float]:
    """Seconds that each of them waited; all send their form at the same moment."""
    browsers = [Browser(port, number) for number in range(PEOPLE)]
    for browser in browsers:
        browser.open_form()
    together = threading.Barrier(PEOPLE)

    def send(browser: Browser) -> float:
        together.wait()
        return browser.send_form()

    with ThreadPoolExecutor(PEOPLE) as people:
        return list(people.map(send, browsers))


def peak_bytes(pid: int) -> int:
    """The most memory this process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def serve_once() -> tuple[list[float], int, int]:
    """How long twenty log-ins took on a fresh web server, its memory before, and its peak."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--lifespan", "off", "--timeout-graceful-shutdown", "5"]
    command += ["--proxy-headers", "--forwarded-allow-ips", "127.0.0.1", "--no-access-log"]
    server = subprocess.Popen(command, cwd=stage.PROJECT, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port), "the web server answers")
        Browser(port, PEOPLE).open_form()
        before = peak_bytes(server.pid)
        times = log_in_all(port)
        return times, before, peak_bytes(server.pid)
    finally:
        server.terminate()
        server.wait(20)


def use(folder: str, settings: str) -> None:
    """Point the processes started from here on at this folder's database and this module of settings."""
    stage.use(f"sqlite:///{folder}/bench.sqlite3", mqtt_port=1)
    more = {"DJANGO_SETTINGS_MODULE": settings, "ALLOWED_HOSTS": "127.0.0.1", "STATIC_ROOT": f"{folder}/static"}
    os.environ.update(more)


def measure(cases: dict[str, str], folder: str) -> dict[str, dict[str, list[float]]]:
    """What the rounds gave for each case, in turns: memory in MB, times in milliseconds."""
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in cases}
    for settings in cases.values():
        use(f"{folder}/{settings}", settings)
        Path(f"{folder}/{settings}").mkdir()
        subprocess.run([sys.executable, "-m", "benchmarks.logins", "prepare"], cwd=stage.PROJECT, check=True)
    for _ in range(ROUNDS):
        for name, settings in cases.items():
            use(f"{folder}/{settings}", settings)
            times, before, peak = serve_once()
            found[name]["before"].append(before / 1e6)
            found[name]["peak"].append(peak / 1e6)
            found[name]["median"].append(statistics.median(times) * 1000)
            found[name]["worst"].append(max(times) * 1000)
    return found


def main() -> None:
    """Print the rows."""
    section(f"{PEOPLE} log-ins at the same moment, web server on SQLite")
    with tempfile.TemporaryDirectory() as folder:
        found = measure({"Riser": "config.settings", "Django's default": "benchmarks.logins_django"}, folder)
    for name, figures in found.items():
        for part in ("before", "peak"):
            ratio = statistics.median(figures[part]) / GIGABYTE_MB
            row(f"{name}, memory: {part}", figures[part], "MB", ratio, "of 1 GB")
        for part in ("median", "worst"):
            ratio = statistics.median(figures[part]) / statistics.median(found["Riser"][part])
            row(f"{name}, log-in: {part}", figures[part], "ms", ratio, "of Riser's")


if __name__ == "__main__":
    prepare() if sys.argv[1:] == ["prepare"] else main()
