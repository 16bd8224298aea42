"""A resident's way through Riser, in real Chromium, with a real broker."""

import re
from itertools import product

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.sqlite

EXAMPLE = '{"voltage": 220.5, "current": 2.3, "apartment": "101", "floor": "1"}'
TOPIC = "electricity/house/floor/101"


def figures(page):
    return {name: page.locator(f"[data-figure={name}]") for name in ("power", "voltage", "current")}


def test_from_invitation_to_saved_reading(page, move_in, broker, site):
    move_in(page, "101")
    expect(page.get_by_text("No reading yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    broker.publish(TOPIC, EXAMPLE)
    shown = figures(page)
    expect(shown["power"]).to_have_text("507.15")
    expect(shown["voltage"]).to_have_text("220.5")
    expect(shown["current"]).to_have_text("2.3")
    expect(page.get_by_text("Floor 1 · house", exact=True)).to_be_visible()
    expect(page.locator("[data-lamp=meter]")).to_have_text("Meter live")
    page.get_by_label("Note").fill("Oven")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(re.compile(r"Saved 507\.15 W of \d\d:\d\d:\d\d\."))).to_be_visible()
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Saved", exact=True).click()
    row = page.locator("[aria-labelledby=table-title] tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("507.15 W")
    expect(row).to_contain_text("Oven")


def test_a_neighbour_sees_nothing_of_it(page, move_in, broker, house):
    move_in(page, "201")
    broker.publish(TOPIC, EXAMPLE)
    broker.publish("electricity/house/floor/201", '{"voltage": 230, "current": 1}')
    expect(figures(page)["power"]).to_have_text("230.0")
    assert len(house.readings()) == 2
    page.get_by_role("link", name="History").click()
    expect(page.locator("[aria-labelledby=table-title] tbody tr")).to_have_count(1)


def test_log_in_and_log_out(page, move_in, site):
    move_in(page, "101")
    page.get_by_role("button", name=re.compile("Your account")).click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Email").fill("resident101@example.org")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("do not fit together")).to_be_visible()
    page.get_by_label("Password").fill("correct horse 7")
    page.get_by_label("Apartment number").fill("101")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Apartment 101")).to_be_visible()


def test_registering_without_an_invitation(page, site, house):
    page.goto(f"{site}/register")
    page.get_by_label("Email").fill("new@example.org")
    page.get_by_label("Password").fill("correct horse 7")
    page.get_by_label("Apartment number").fill("101")
    page.get_by_label("Floor").fill("1")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Check your mailbox")).to_be_visible()
    # Mail goes to the server's log here.
    house.web.wait_until_it_says("/register/confirm/")
    page.goto(re.search(rf"{site}/register/confirm/\S+", house.web.said)[0])
    page.get_by_label("Password").fill("correct horse 7")
    page.get_by_role("button", name="Confirm and log in").click()
    expect(page.get_by_role("heading", name="Waiting for your manager")).to_be_visible()


def test_it_says_when_the_connection_drops_and_recovers_by_itself(page, move_in, broker, house):
    move_in(page, "101")
    gone = page.get_by_text("No connection to Riser.")
    expect(gone).to_be_hidden()
    house.web.end()
    expect(gone).to_be_visible()
    house.start_web()
    expect(gone).to_be_hidden()
    broker.publish(TOPIC, EXAMPLE)
    expect(figures(page)["power"]).to_have_text("507.15")


def test_an_open_page_ends_with_its_session(page, move_in, house, no_errors):
    move_in(page, "101")
    house.execute("DELETE FROM django_session")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    # Polling and stream are both told that the session is gone; the browser notes it.
    no_errors.drop("401")


def test_pages_fit_their_screen_in_light_and_dark(page, move_in, broker, site):
    move_in(page, "101")
    broker.publish(TOPIC, EXAMPLE.replace("2.3", "-2000.123"))
    expect(figures(page)["power"]).to_have_text("-441027.12")
    page.get_by_label("Note").fill("A" * 120)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved ")).to_be_visible()
    for path in ("/", "/history", "/history?show=saved", "/password"):
        page.goto(site + path)
        page.wait_for_load_state("load")
        for scheme, width in product(("light", "dark"), (390, 1280)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_function("scheme => document.documentElement.dataset.bsTheme === scheme", arg=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") == width, path
