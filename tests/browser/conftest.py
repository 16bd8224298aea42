import os

import pytest
from playwright.sync_api import expect

from tests.broker import find
from tests.installation import Installation

# Playwright's own event loop runs in this thread; the database is used beside it, not from it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
# How long until a page counts as not showing something; on a busy machine it takes its time.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser_type_launch_args():
    """Chromium without windows, from the system; it asks for no network beyond the page."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu"]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {"executable_path": find("chromium-headless-shell", "chromium-headless-shell"), "args": quiet + sandbox}


@pytest.fixture(scope="session")
def browser_context_args():
    return {"viewport": {"width": 390, "height": 844}, "timezone_id": "America/New_York", "locale": "en-GB"}


@pytest.fixture
def house(installation: Installation, static_root: str):
    """A building with two apartments, its listener and its pages: as in production, but for TLS."""
    # A browser takes no certificate from a test.
    installation.env |= {"DEBUG": "off", "ALLOWED_HOSTS": "127.0.0.1", "STATIC_ROOT": static_root, "HTTPS": "off"}
    installation.make_house("101", "201")
    installation.start_listener()
    return installation


@pytest.fixture
def site(house: Installation) -> str:
    return house.start_web()


@pytest.fixture
def move_in(house: Installation, site: str):
    """Registers somebody through an invitation, in the browser."""

    def move(page, number: str) -> None:
        link = house.manage("invite", "house", number, "--moved-in", "2026-01-01").strip()
        token = link.partition("=")[2]
        page.goto(f"{site}/register?invitation={token}")
        page.get_by_label("Email").fill(f"resident{number}@example.org")
        page.get_by_label("Password").fill("correct horse 7")
        page.get_by_role("button", name="Move in").click()
        page.get_by_role("heading", name=f"Apartment {number}").wait_for()
        # Its scripts, too: a test may take the server away now.
        page.wait_for_load_state()

    return move


class Complaints(list[str]):
    """What the console of a page says went wrong."""

    def drop(self, *expected: str) -> None:
        """Let go what a test expects: whatever has one of these words in it."""
        self[:] = [said for said in self if not any(words in said for words in expected)]


@pytest.fixture(autouse=True)
def no_errors(page):
    """A page that complains in the console fails the test, and so does an exception that nothing catches."""
    complaints = Complaints()
    uncaught: list[str] = []
    page.on("pageerror", lambda error: uncaught.append(error.stack or error.message))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield complaints
    assert uncaught == []
    complaints.drop("net::ERR_", "Failed to fetch")
    assert complaints == []
