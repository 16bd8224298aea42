"""Renders every page of the demo in Chromium, to be looked at: `make screenshots`, then open screenshots/.

Each page in every language, at 390 and 1280 pixels, light and dark. It says which page is wider than its screen, and
what a page's console complains of. Arguments, if any, are the names of the pages to render.
"""

import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

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
}
WHO = {"": PUBLIC, "resident101@example.org": RESIDENT, "manager@example.org": MANAGER}
LANGUAGES = ("de", "en")
TALLEST = 2400


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
        env = os.environ | {
            "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3", "DEBUG": "on", "PORT": str(port),
            "MQTT_PORT": str(mqtt_port), "REQUIRE_MANAGER_2FA": "off",
        }  # fmt: skip
        for command in ("migrate", "createcachetable", "load_demo"):
            subprocess.run(
                [sys.executable, "manage.py", command], cwd=PROJECT, env=env, check=True, stdout=subprocess.DEVNULL
            )
        parts = subprocess.Popen([sys.executable, "scripts/run.py"], cwd=PROJECT, env=env, stdout=subprocess.DEVNULL)
        try:
            site = f"http://127.0.0.1:{port}"
            wait_for(lambda: _is_ready(site), "Riser is ready", timeout=60)
            _render_all(site, names)
        finally:
            parts.terminate()
            parts.wait()


def _is_ready(site: str) -> bool:
    try:
        with urllib.request.urlopen(f"{site}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def _render_all(site: str, names: Sequence[str]) -> None:
    with sync_playwright() as playwright:
        program = find("chromium-headless-shell", "chromium-headless-shell")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        looks = product(LANGUAGES, (390, 1280), ("light", "dark"))
        for (who, pages), look in product(WHO.items(), (Look(*look) for look in looks)):
            wanted = {name: path for name, path in pages.items() if not names or name in names}
            if wanted:
                _render(browser, site, who, wanted, look)
        browser.close()


def _render(browser: Browser, site: str, who: str, pages: dict[str, str], look: Look) -> None:
    language, width, scheme = look
    size = {"width": width, "height": 844}
    context = browser.new_context(viewport=size, color_scheme=scheme, locale=language)  # type: ignore[arg-type]
    page = context.new_page()
    page.on("console", lambda said: print(f"{page.url}: {said.text}") if said.type == "error" else None)
    if who:
        _log_in(page, site, who)
    for name, path in pages.items():
        page.goto(site + path)
        page.wait_for_load_state("load")
        # What the scripts fetch, drawn.
        page.wait_for_timeout(1500)
        height, wide = page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
        if wide > width:
            print(f"{name} in {language} at {width}: {wide - width} pixels too wide")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST)}
        page.screenshot(path=FOLDER / f"{name}-{language}-{width}-{scheme}.png", full_page=True, clip=clip)  # type: ignore[arg-type]
    context.close()


def _log_in(page: Page, site: str, who: str) -> None:
    page.goto(f"{site}/login")
    page.fill("[name=email]", who)
    page.fill("[name=password]", "riser-demo")
    page.click("main button[type=submit]:not([name=language])")
    page.wait_for_load_state("load")


if __name__ == "__main__":
    main(sys.argv[1:])
