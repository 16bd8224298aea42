"""A resident opens the dashboard for the first time, on a slow telephone.

As production serves it: uvicorn as its unit starts it, behind nginx with deploy/nginx.conf, over TLS and HTTP/2, with
the demo's year of energy and week of readings. Chromium with a window of 390 pixels, nothing kept from before, the
processor four times slower, and a line of 1.6 Mbit/s down, 0.75 Mbit/s up and 150 ms for each request (as Chromium
simulates it: the round trips of opening the connection are not slowed).

- Weight: every byte that comes for the page, headers included: page, styles, scripts, icons, answers of the API. What
  the service worker fetches afterwards, to have it when there is no connection, is a row of its own: it takes nothing
  from the page.
- First paint: the figures, the lamps and the table are on the screen; the server wrote them.
- Interactive: all scripts have run, and the page has answered a click. The click is on the account menu, made by the
  page itself in the first task after the end of the event DOMContentLoaded, which comes after all deferred scripts; it
  is answered when the open menu has been painted. Only what draws the curves may come later.
- Busy afterwards: the longest task in the five seconds after that (curves are drawn in them). So long may another click
  have to wait.
"""

import contextlib
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks import stage
from benchmarks.table import row, section
from tests.broker import answers, find, free_port
from tests.deploy.shipped import make_certificate
from tests.deploy.shipped_nginx import ShippedNginx
from tests.waiting import wait_for

ROUNDS = int(os.environ.get("ROUNDS", "5"))
WEIGHT_LIMIT_KB, INTERACTIVE_LIMIT_MS, BUSY_LIMIT_MS = 150.0, 1000.0, 100.0
SLOWER = 4
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
UNIT = stage.PROJECT / "deploy/systemd/riser-web.service"
WATCH = """
  window.tasks = [];
  const note = (list) => window.tasks.push(...list.getEntries());
  new PerformanceObserver(note).observe({ type: "longtask", buffered: true });
  document.addEventListener("DOMContentLoaded", () => {
    const painted = () => requestAnimationFrame(() => setTimeout(() => (window.answered = performance.now())));
    document.getElementById("account-menu").addEventListener("toggle", painted, { once: true });
    setTimeout(() => document.querySelector("[popovertarget=account-menu]").click());
  });
"""
TIMES = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  interactive: window.answered,
  busy: Math.max(0, ...window.tasks.filter((task) => task.startTime > window.answered).map((task) => task.duration)),
})"""
CALM = "() => window.answered && performance.now() > window.answered + 5000"
DRAWN = "() => document.querySelectorAll('#curve canvas, #recent canvas').length === 2"


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as name, _site(Path(name)) as (address, session):
        section("First visit of the dashboard, as production serves it, on a slow telephone simulated in Chromium")
        with sync_playwright() as playwright:
            program = find("chromium-headless-shell", "chromium-headless-shell")
            # The certificate is made for this visit; else no service worker would be installed.
            options = ["--ignore-certificate-errors", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
            browser = playwright.chromium.launch(executable_path=program, args=options)
            # The first one meets a web process that has answered nothing yet.
            _, *visits = [_visit(browser, address, session) for _ in range(ROUNDS + 1)]
            browser.close()
        _tell(visits, _fetched_by_worker(Path(name) / "riser.log") / (ROUNDS + 1))


def _tell(visits: list[dict[str, float]], worker_bytes: float) -> None:
    columns = {name: [visit[name] for visit in visits] for name in visits[0]}
    limits = {
        "weight": ("everything that comes for the page", "kB", WEIGHT_LIMIT_KB),
        "paint": ("first paint", "ms", INTERACTIVE_LIMIT_MS),
        "interactive": ("interactive", "ms", INTERACTIVE_LIMIT_MS),
        "busy": ("busy afterwards, at most", "ms", BUSY_LIMIT_MS),
    }
    for name, (words, unit, limit) in limits.items():
        row(words, columns[name], unit, statistics.median(columns[name]) / limit, f"of {limit:.0f} {unit}")
    row("files", columns["files"], "")
    row("what the service worker keeps, afterwards", [worker_bytes / 1000], "kB")


@contextlib.contextmanager
def _site(folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a running installation with the demo's data, and the key of a resident's session."""
    stage.use(f"sqlite:///{folder}/bench.sqlite3", 1)
    os.environ.update(ALLOWED_HOSTS="127.0.0.1", STATIC_ROOT=str(folder / "static"))
    for command in (["migrate"], ["createcachetable"], ["load_demo"], ["collectstatic", "--noinput"]):
        debug = "on" if command == ["load_demo"] else "off"
        _manage(command, DEBUG=debug)
    session = _log_in()
    port = free_port()
    command = shlex.split(re.findall(r"^ExecStart=\S+python (.*)$", UNIT.read_text(), re.MULTILINE)[0])
    command[command.index("--port") + 1] = str(port)
    web = subprocess.Popen([sys.executable, *command], cwd=stage.PROJECT, env=os.environ | {"HTTPS": "on"})
    try:
        wait_for(lambda: answers(port), "uvicorn answers")
        with ShippedNginx(folder, port, make_certificate(folder / "certificate", "IP:127.0.0.1")) as nginx:
            yield f"https://127.0.0.1:{nginx.port}", session
    finally:
        web.terminate()
        web.wait()


def _manage(command: list[str], **settings: str) -> None:
    arguments = [sys.executable, "manage.py", *command]
    subprocess.run(
        arguments, cwd=stage.PROJECT, env=os.environ | settings, check=True, stdout=subprocess.DEVNULL, timeout=300
    )


def _log_in() -> str:
    stage.setup_django()
    from django.test import Client

    from accounts.models import User

    client = Client()
    client.force_login(User.objects.get(email="resident101@example.org"))
    return str(client.session.session_key)


def _visit(browser: Browser, address: str, session: str) -> dict[str, float]:
    """One visit with nothing kept from before: bytes and times."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    context.add_cookies([{"name": "__Host-sessionid", "value": session, "url": address, "secure": True}])
    page = context.new_page()
    page.add_init_script(WATCH)
    seen = _slow_down(context, page)
    page.goto(f"{address}/", wait_until="domcontentloaded")
    page.wait_for_function(DRAWN)
    page.wait_for_function(CALM, timeout=60_000)
    times: dict[str, float] = page.evaluate(TIMES)
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    context.close()
    return times | {"weight": seen["bytes"] / 1000, "files": seen["files"]}


def _slow_down(context: BrowserContext, page: Page) -> dict[str, float]:
    """Make the page's line and processor slow; what has come over that line so far."""
    seen = {"bytes": 0.0, "files": 0.0}
    tools = context.new_cdp_session(page)

    def whole(event: dict[str, Any]) -> None:
        seen["bytes"] += event["encodedDataLength"]
        seen["files"] += event["encodedDataLength"] > 0

    tools.on("Network.loadingFinished", whole)
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", LINE)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return seen


def _fetched_by_worker(log: Path) -> float:
    """Bytes of what only the service worker asks for. The page's own files it has from the browser."""
    lines = [
        re.search(r'"GET (/offline|/service-worker\.js)" 200 (\d+) ', line) for line in log.read_text().splitlines()
    ]
    return sum(float(line[2]) for line in lines if line)


if __name__ == "__main__":
    main()
