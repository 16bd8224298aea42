"""The first page of admin in real Chromium: it lives, keeps the focus, says when it is old, and axe finds nothing."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.axe import TOLD
from tests.factories import PASSWORD

pytestmark = pytest.mark.sqlite
ROOT = "root@example.org"
MORE_THAN_EVERY_MS = 6000
PAGES = ("/admin/?loads=1", "/admin/accounts/apartment/", "/admin/accounts/tenancy/add/")


def measure(broker, current):
    broker.publish("electricity/house/floor/101", f'{{"voltage": 100, "current": {current}}}')


def tell(page, hidden):
    """What a browser tells a page that goes to the background, or comes back."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


@pytest.fixture
def in_admin(page, house, site, monkeypatch):
    monkeypatch.setitem(house.env, "DJANGO_SUPERUSER_EMAIL", ROOT)
    monkeypatch.setitem(house.env, "DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    house.manage("createsuperuser", "--noinput")
    # It goes on by itself, and may be moved on.
    page.clock.install()
    page.goto(f"{site}/login")
    page.get_by_label("Email").fill(ROOT)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site}/admin/")
    return page


def test_the_picture_of_the_house(in_admin, broker, site, no_errors):
    page = in_admin
    cell = page.get_by_role("link", name="Apartment 101")
    expect(cell).to_contain_text("never heard")
    page.get_by_role("link", name="Show the load of each apartment").click()
    page.evaluate("window.isTheSame = true")
    cell.focus()
    measure(broker, 23)
    expect(cell).to_contain_text("2.3 kW")
    expect(cell).to_have_accessible_name(re.compile(r"Apartment 101 ?, floor 1, 2.3 kW empty"))
    expect(cell).to_be_focused()
    look_away_and_back(page, broker, cell)
    lose_the_server(page, broker, cell)
    no_errors.drop("net::ERR_FAILED")
    assert page.evaluate("window.isTheSame")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    leave_no_apartment_alone(page)
    look_for_what_one_stumbles_over(page, site, no_errors)


ROWS = """([breadth, number]) => {
  const cells = document.querySelector(".floors .cells");
  const [one] = cells.children;
  cells.closest(".floors").className = `floors ${breadth}`;
  cells.replaceChildren(...Array.from({ length: number }, () => one.cloneNode(true)));
  const tops = [...cells.children].map((cell) => cell.offsetTop);
  return [...new Set(tops)].map((top) => tops.filter((other) => other === top).length);
}"""


def leave_no_apartment_alone(page):
    """A floor that does not fit into one row of a telephone is broken into rows of a like length."""
    for width, house, rows in (
        (390, ("narrow", 4), [4]), (360, ("narrow", 4), [4]), (320, ("narrow", 4), [2, 2]), (320, ("narrow", 3), [3]),
        (360, ("middling", 5), [3, 2]), (360, ("middling", 6), [3, 3]), (360, ("usual", 8), [4, 4]),
        (360, ("usual", 9), [3, 3, 3]),
    ):  # fmt: skip
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate(ROWS, house) == rows, (width, house)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.set_viewport_size({"width": 390, "height": 844})


def look_away_and_back(page, broker, cell):
    """In the background it asks nothing; seen again, it asks at once."""
    tell(page, hidden=True)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/picture/" in request.url else None)
    for _ in range(3):
        page.clock.fast_forward(MORE_THAN_EVERY_MS)
        # As slow as a picture: then an answer under way has come, and what was asked before is known.
        page.evaluate("fetch(location.href).then((answer) => answer.text())")
    assert asked == []
    with page.expect_response("**/picture/**"):
        tell(page, hidden=False)


def lose_the_server(page, broker, cell):
    page.route("**/picture/**", lambda route: route.abort())
    tell(page, hidden=False)
    expect(page.get_by_text("Riser does not answer. This is the picture of")).to_be_visible()
    page.unroute("**/picture/**")
    measure(broker, 0.5)
    tell(page, hidden=False)
    expect(page.get_by_text("Riser does not answer.")).to_be_hidden()
    expect(cell).to_contain_text("50 W")


def look_for_what_one_stumbles_over(page, site, no_errors):
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in PAGES:
            page.goto(site + path)
            page.wait_for_load_state()
            assert no_errors == []
            found = Axe().run(page).response["violations"]
            assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == [], (scheme, path)
            no_errors.drop(*TOLD)
