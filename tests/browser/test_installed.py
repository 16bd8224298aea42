"""Riser as an app on a phone, in real Chromium: without a connection, after logging out, in light and dark."""

import datetime as dt
import json
import re

import pytest
from playwright.sync_api import Error, expect

from tests.factories import PASSWORD
from tests.test_headers import production

pytestmark = pytest.mark.sqlite

TOPIC = "electricity/house/floor/101"
OTHER_TOPIC = "electricity/house/floor/201"
KEPT = "JSON.parse(localStorage.getItem('riser.last'))"
# Functions: the policy refuses what a page evaluates anew each time.
IN_CHARGE = "() => navigator.serviceWorker.controller !== null"


@pytest.fixture(scope="module")
def house(tmp_path_factory, templates, broker, static_root):
    """Production's settings; on localhost, where browsers allow service workers without TLS."""
    with production(tmp_path_factory.mktemp("installed"), templates, broker.port, static_root, HTTPS="off") as made:
        made.start_listener()
        yield made


@pytest.fixture(scope="module")
def site(house):
    return house.start_web()


@pytest.fixture(autouse=True)
def away_is_no_error(no_errors):
    yield
    no_errors.drop("Failed to load resource")


def kept_by_worker(page):
    script = """async () => {
      const found = [];
      for (const name of await caches.keys())
        for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
      return found;
    }"""
    return page.evaluate(script)


def test_offline_it_shows_what_was_known_as_old_and_after_logging_out_nothing(page, move_in, broker, house, site):
    move_in(page, "101")
    broker.publish(TOPIC, '{"voltage": 230, "current": 13.9}')
    expect(page.locator("[data-figure=power]")).to_have_text("3197.0")
    page.wait_for_function(IN_CHARGE)
    assert page.evaluate(KEPT)["power"] == 3197
    kept = kept_by_worker(page)
    assert "/offline" in kept
    assert all(path == "/offline" or path.startswith("/static/") for path in kept)

    house.web.end()
    page.goto(f"{site}/history")
    expect(page.get_by_role("heading", name="Offline")).to_be_visible()
    last = page.locator("#last-known")
    expect(last).to_contain_text("Last known, not now")
    expect(last).to_contain_text("3.2 kW")
    expect(last).to_contain_text(re.compile(r"at \d\d:\d\d, \d+ (second|minute)s? ago"))
    assert page.locator(".drawing").evaluate("drawing => getComputedStyle(drawing).overflow") == "visible", "no styles"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    # What is not a page somebody opens by hand never passes through.
    for path in ("/api/power-data", "/export", "/admin/", "/logout"):
        other = page.context.new_page()
        with pytest.raises(Error, match="ERR_CONNECTION_REFUSED"):
            other.goto(site + path)
        other.close()
    page.goto(f"{site}/")
    expect(page.get_by_role("heading", name="Offline")).to_be_visible()
    house.start_web()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_role("heading", name="Apartment 101")).to_be_visible()

    page.get_by_role("button", name=re.compile("Your account")).click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage)") == []
    house.web.end()
    page.goto(f"{site}/")
    expect(page.get_by_role("heading", name="Offline")).to_be_visible()
    expect(page.locator("#last-known")).to_be_hidden()
    house.start_web()


def test_nothing_is_left_where_the_session_ends_otherwise_or_the_day_is_over(page, house, site):
    page.goto(f"{site}/offline")
    old = {"timestamp": "2026-01-01T12:00:00Z", "power": 3197, "zone": "UTC"}
    page.evaluate("kept => localStorage.setItem('riser.last', JSON.stringify(kept))", old)
    page.reload()
    expect(page.locator("#last-known")).to_be_hidden()
    assert page.evaluate("localStorage.length") == 0
    page.evaluate("localStorage.setItem('riser.last', '{}')")
    page.goto(f"{site}/login")
    page.wait_for_function("() => localStorage.length === 0")


def test_what_comes_late_is_not_the_last_known(page, move_in, broker):
    move_in(page, "201")
    broker.publish(OTHER_TOPIC, '{"voltage": 100, "current": 5}')
    expect(page.locator("[data-figure=power]")).to_have_text("500.0")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    broker.publish(OTHER_TOPIC, f'{{"voltage": 100, "current": 0.4, "timestamp": "{before.isoformat()}"}}')
    expect(page.locator("#recent")).to_have_attribute("aria-label", re.compile(r"between 40\.0 and 500\.0 W"))
    assert page.evaluate(KEPT)["power"] == 500
    broker.publish(OTHER_TOPIC, '{"voltage": 100, "current": 6}')
    expect(page.locator("[data-figure=power]")).to_have_text("600.0")
    assert page.evaluate(KEPT)["power"] == 600


def log_in(page, site, email):
    page.goto(f"{site}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def colours(page):
    return page.evaluate("[document.documentElement.dataset.bsTheme, getComputedStyle(document.body).backgroundColor]")


def test_one_choice_of_light_or_dark_holds_everywhere(page, site):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{site}/login")
    dark = colours(page)
    assert dark[0] == "dark"
    # Seen at once; the page stays.
    page.get_by_label("Email").fill("root@example.org")
    with page.expect_response("**/theme"):
        page.get_by_role("button", name="Light").click()
    expect(page.get_by_role("button", name="Light")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Email")).to_have_value("root@example.org")
    light = colours(page)
    assert light[0] == "light"
    english, german = (page.get_by_role("button", name=name) for name in ("English", "Deutsch"))
    expect(english).to_have_attribute("aria-pressed", "true")
    german.click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert colours(page) == light
    english.click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert light[1] != dark[1]
    page.reload()
    assert colours(page) == light
    page.goto(f"{site}/nosuch")
    assert colours(page) == light
    log_in(page, site, "root@example.org")
    page.wait_for_url("**/admin/")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    with page.expect_response("**/theme"):
        page.get_by_role("button", name="System").click()
    expect(root).to_have_attribute("data-theme", "auto")
    page.emulate_media(color_scheme="light")
    page.goto(f"{site}/account")
    page.get_by_role("button", name=re.compile("Your account")).press("Enter")
    expect(page.get_by_role("button", name="System")).to_have_attribute("aria-pressed", "true")
    assert colours(page) == light
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="System")).to_be_hidden()


@pytest.fixture
def old_page(browser, browser_context_args):
    """A page in a browser that does not know popovers."""

    def as_old(route):
        answer = route.fetch()
        text = answer.text().replace("not selector(:popover-open)", "selector(:popover-open)").replace(" popover>", ">")
        route.fulfill(response=answer, body=text.replace(" popovertarget=", " data-unknown="))

    context = browser.new_context(**browser_context_args, service_workers="block")
    context.route(re.compile(r"\.css$|/account$"), as_old)
    yield context.new_page()
    context.unroute_all(behavior="ignoreErrors")
    context.close()


def test_a_browser_without_popovers_has_the_menu_in_the_header(old_page, site):
    log_in(old_page, site, "root@example.org")
    old_page.wait_for_url("**/admin/")
    for width in (360, 1280):
        old_page.set_viewport_size({"width": width, "height": 800})
        old_page.goto(f"{site}/account")
        expect(old_page.get_by_role("button", name=re.compile("Your account"))).to_be_hidden()
        menu, heading = (old_page.locator(part).bounding_box() for part in ("#account-menu", "h1"))
        assert menu["y"] + menu["height"] < heading["y"]
        assert old_page.evaluate("document.documentElement.scrollWidth") == width
    for name, language in (("Deutsch", "de"), ("English", "en")):
        old_page.get_by_role("button", name=name).click()
        expect(old_page.locator("html")).to_have_attribute("lang", language)
        expect(old_page).to_have_url(f"{site}/account")
    old_page.get_by_role("button", name="Log out", exact=True).click()
    expect(old_page.get_by_role("heading", name="Log in")).to_be_visible()


def test_it_can_be_installed_and_moves_nobody_who_asks_for_rest(page, site):
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{site}/login")
    tools = page.context.new_cdp_session(page)
    found = tools.send("Page.getAppManifest")
    assert found["errors"] == []
    assert json.loads(found["data"])["name"] == "Riser"
    moving = """[...document.querySelectorAll("*")]
      .filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0.001).length"""
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) > 0
