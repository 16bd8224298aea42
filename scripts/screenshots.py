"""Renders every page of the demo in Chromium, to be looked at: `make screenshots`, then open screenshots/.

Each page in every language, at 390 and 1280 pixels, light and dark, with the settings of production: those that say
what went wrong as well. It says which page is wider than its screen, and what a page's console complains of.
Arguments, if any, are the names of the pages to render.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.broker import find, free_port
from tests.waiting import wait_for

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "screenshots"
TODAY = datetime.now(UTC).date()
MONTH = f"since={TODAY.replace(day=1)}&until={TODAY}"
PUBLIC = {"login": "/login", "register": "/register", "reset": "/password/reset", "missing": "/nothing-here"}
RESIDENT = {
    "dashboard": "/",
    "history": f"/history?since={TODAY - timedelta(days=1)}&until={TODAY - timedelta(days=1)}",
    "history-month": f"/history?{MONTH}",
    "history-year": f"/history?since={TODAY.replace(month=1, day=1)}&until={TODAY.replace(month=12, day=31)}",
    "history-more": f"/history?{MONTH}&voltage=1&year_ago=1",
    "history-saved": "/history?show=saved",
    "account": "/account",
    "password": "/password",
    "missing-resident": "/nothing-here",
    "api": "/api/docs",
}
MANAGER = {
    "admin": "/admin/",
    "admin-loads": "/admin/?loads=1",
    "admin-tenancy": "/admin/accounts/tenancy/1/change/",
    "admin-energy": "/admin/accounts/building/1/energy/",
    "admin-apartments": "/admin/accounts/apartment/",
    "admin-readings": "/admin/metering/reading/",
    "admin-tariff": "/admin/metering/tariff/1/change/",
    "forbidden": "/admin/metering/reading/add/",
}
WHO = {"": PUBLIC, "resident101@example.org": RESIDENT, "manager@example.org": MANAGER}
PASSWORD = "riser-demo"
LANGUAGES = ("de", "en")
TALLEST = 2400
# What scripts fetch stands there: each chart has its canvas, or is hidden where there is nothing to draw.
# A function: the policy refuses what a page evaluates anew each time.
DRAWN = """() =>
  document.fonts.status === "loaded"
  && [...document.images].every((image) => image.complete)
  && [...document.querySelectorAll(".curve")].every((chart) => chart.hidden || chart.querySelector("canvas"))
  && [...document.querySelectorAll("#hours")].every((hours) => hours.querySelector("td"))
  && [...document.querySelectorAll("#swagger-ui")].every((page) => page.querySelector(".opblock"))
"""


class Look(NamedTuple):
    """How a page is rendered; the width in pixels."""

    language: str
    width: int
    scheme: str


def main(names: Sequence[str]) -> None:
    """A picture of each page, in FOLDER."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        port, mqtt_port = free_port(), free_port()
        database = Path(folder) / "demo.sqlite3"
        site = f"http://127.0.0.1:{port}"
        env = os.environ | {
            "DATABASE_URL": f"sqlite:///{database}", "PORT": str(port), "MQTT_PORT": str(mqtt_port),
            "DEBUG": "off", "HTTPS": "off", "ALLOWED_HOSTS": "127.0.0.1", "SITE_URL": site,
            "STATIC_ROOT": f"{folder}/static", "REQUIRE_MANAGER_2FA": "off",
        }  # fmt: skip
        for command in ("migrate", "createcachetable", "collectstatic"):
            _manage(env, command)
        _manage(env | {"DEBUG": "on"}, "load_demo")
        parts = subprocess.Popen([sys.executable, "scripts/run.py"], cwd=PROJECT, env=env, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: _is_ready(site), "Riser is ready", timeout=60)
            _render_all(site, names, database)
        finally:
            parts.terminate()
            parts.wait()


def _is_ready(site: str) -> bool:
    try:
        with urllib.request.urlopen(f"{site}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def _manage(env: dict[str, str], command: str) -> None:
    arguments = [sys.executable, "manage.py", command, *(["--noinput"] if command == "collectstatic" else [])]
    subprocess.run(arguments, cwd=PROJECT, env=env, check=True, stdout=subprocess.DEVNULL)


def _render_all(site: str, names: Sequence[str], database: Path) -> None:
    looks = [Look(*look) for look in product(LANGUAGES, (390, 1280), ("light", "dark"))]
    with sync_playwright() as playwright:
        program = find("chromium-headless-shell", "chromium-headless-shell")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        for (who, pages), look in product(WHO.items(), looks):
            wanted = {name: path for name, path in pages.items() if not names or name in names}
            if wanted:
                with _visit(browser, site, who, look) as page:
                    for name, path in wanted.items():
                        page.goto(site + path)
                        _picture(page, name, look)
        for name, lead in PROBLEMS.items():
            for look in looks if not names or name in names else ():
                with _visit(browser, site, "", look) as page:
                    lead(page, site, database)
                    _picture(page, name, look)
        browser.close()


@contextmanager
def _visit(browser: Browser, site: str, who: str, look: Look) -> Iterator[Page]:
    size = {"width": look.width, "height": 844}
    context = browser.new_context(viewport=size, color_scheme=look.scheme, locale=look.language)  # type: ignore[arg-type]
    page = context.new_page()
    page.on("console", lambda said: _complain(page, said))
    page.on("pageerror", lambda error: print(f"{page.url}: {error.stack or error.message}"))
    if who:
        _log_in(page, site, who)
    yield page
    context.close()


def _complain(page: Page, said: ConsoleMessage) -> None:
    # That a page is itself a problem is known.
    is_known = said.location["url"] == page.url and said.text.startswith("Failed to load resource")
    if said.type == "error" and not is_known:
        print(f"{page.url}: {said.text}")


def _picture(page: Page, name: str, look: Look) -> None:
    page.wait_for_load_state("load")
    page.wait_for_function(DRAWN)
    height, wide = page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
    if wide > look.width:
        print(f"{name} in {look.language} at {look.width}: {wide - look.width} pixels too wide")
    clip = {"x": 0, "y": 0, "width": look.width, "height": min(height, TALLEST)}
    file = FOLDER / f"{name}-{look.language}-{look.width}-{look.scheme}.png"
    page.screenshot(path=file, full_page=True, clip=clip)  # type: ignore[arg-type]


def _lose_the_connection(page: Page, site: str, database: Path) -> None:
    _log_in(page, site, "resident101@example.org")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null && localStorage.getItem('riser.last')")
    page.context.set_offline(True)
    page.goto(f"{site}/history")


def _send_a_form_of_yesterday(page: Page, site: str, database: Path) -> None:
    page.goto(f"{site}/login")
    page.context.clear_cookies()
    _fill_in_login(page, "resident101@example.org", PASSWORD)


def _ask_too_often(page: Page, site: str, database: Path) -> None:
    while not page.locator(".problem").count():
        page.goto(f"{site}/password/reset")
        page.fill("[name=email]", "resident201@example.org")
        page.click("main button[type=submit]:not([name=language])")
        page.wait_for_load_state("load")


def _break_the_database(page: Page, site: str, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'accounts_apartment'").fetchone():
            connection.execute("ALTER TABLE accounts_apartment RENAME TO lost")
    _log_in(page, site, "resident101@example.org")


PROBLEMS = {
    "offline": _lose_the_connection,
    "old-form": _send_a_form_of_yesterday,
    "too-many": _ask_too_often,
    # The last one: nothing works after it.
    "broken": _break_the_database,
}


def _log_in(page: Page, site: str, who: str) -> None:
    page.goto(f"{site}/login")
    _fill_in_login(page, who, PASSWORD)


def _fill_in_login(page: Page, who: str, password: str) -> None:
    page.fill("[name=email]", who)
    page.fill("[name=password]", password)
    page.click("main button[type=submit]:not([name=language])")
    page.wait_for_load_state("load")


if __name__ == "__main__":
    main(sys.argv[1:])
