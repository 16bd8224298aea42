"""What moves on a resident's pages, in real Chromium."""

import datetime as dt
import re

import pytest
from playwright.sync_api import expect

from tests.waiting import wait_for

pytestmark = pytest.mark.sqlite

TOPIC = "electricity/house/floor/101"


def measure(broker, current, at=None):
    time = f', "timestamp": "{at.isoformat()}"' if at else ""
    broker.publish(TOPIC, f'{{"voltage": 100, "current": {current}, "power_factor": 0.9{time}}}')


def power(page):
    return page.locator("[data-figure=power]")


def test_readings_come_over_the_stream_and_may_be_saved_and_let_go_again(page, move_in, broker, house, no_errors):
    # Else one that is asked for would do as well.
    page.route("**/api/power-data", lambda route: route.abort())
    move_in(page, "101")
    expect(page.get_by_text("No reading in the last ten minutes.")).to_be_visible()
    for current in (1, 2):
        measure(broker, current)
        expect(power(page)).to_have_text(f"{current * 90:.1f}")
    expect(page.locator("#recent")).to_have_attribute("aria-label", re.compile("between 90.0 and 180.0 W"))
    expect(page.locator("#peak")).to_have_text(re.compile(r"Highest: 180\.0 W at \d\d:\d\d"))
    expect(page.locator("[data-figure=power_factor]")).to_have_text("0.9")
    page.get_by_label("Note").fill("Oven")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("No longer saved.")).to_be_visible()
    assert house.query("SELECT COUNT(*) FROM metering_reading WHERE saved_at IS NOT NULL") == [(0,)]
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    house.execute("UPDATE metering_reading SET saved_at = NULL")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Your household has saved no such reading.")).to_be_visible()
    # Who does not see the lamps was told once that the meter speaks.
    expect(page.locator("#spoken")).to_have_text(re.compile("Meter live"))
    # The browser notes the one that could not be let go.
    no_errors.drop("404")


def test_what_is_measured_before_the_stream_is_open_is_in_the_curve(page, move_in, broker, house, site):
    move_in(page, "101")
    measure(broker, 1)
    expect(power(page)).to_have_text("90.0")
    held = []

    def hold(route):
        held.append(route)

    page.route(re.compile(r"/live"), hold)
    page.goto(site)
    expect(page.locator("#recent canvas")).to_be_visible()
    for current in (2, 3):
        measure(broker, current)
    wait_for(lambda: len(house.readings()) == 3, "the readings are stored")
    held[0].continue_()
    expect(power(page)).to_have_text("270.0")
    page.get_by_text("As a table").first.click()
    expect(page.locator("#recent-table tbody tr")).to_have_count(3)


def test_where_streams_are_blocked_it_asks(page, move_in, broker):
    page.route(re.compile(r"/live"), lambda route: route.abort())
    move_in(page, "101")
    measure(broker, 1)
    expect(power(page)).to_have_text("90.0")
    expect(page.get_by_text("No connection to Riser.")).to_be_hidden()


def test_a_tab_in_the_background_listens_no_more_and_misses_nothing(page, move_in, broker, site):
    move_in(page, "101")
    measure(broker, 1)
    expect(power(page)).to_have_text("90.0")
    beside = page.context.new_page()
    beside.goto(site)
    turn(page, "hidden")
    # One that listens hears both, one after the other: when it has the second, the first would be in all tabs.
    for current, figure in ((3, "270.0"), (2, "180.0")):
        measure(broker, current)
        expect(power(beside)).to_have_text(figure)
    assert power(page).text_content() == "90.0"
    turn(page, "visible")
    expect(power(page)).to_have_text("180.0")
    expect(page.locator("#recent")).to_have_attribute("aria-label", re.compile("between 90.0 and 270.0 W"))


def turn(page, state):
    page.evaluate(
        """state => {
            Object.defineProperty(document, "hidden", { value: state === "hidden", configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def look_closer_by_keyboard(page):
    shown = page.locator("#zoom-part")
    page.get_by_role("button", name="Zoom in").press("Enter")
    expect(shown).to_have_text(re.compile(r"\d\d:\d\d to \d\d:\d\d"))
    closer = shown.text_content()
    page.get_by_role("button", name="Move to what came after").press("Enter")
    expect(shown).not_to_have_text(closer)
    page.go_back()
    expect(shown).to_have_text(closer)
    page.reload()
    expect(shown).to_have_text(closer)
    page.get_by_role("link", name="Current").click()
    expect(page).to_have_url(re.compile("sort="))
    expect(shown).to_have_text(closer)
    page.get_by_role("button", name="All of it").press("Enter")
    expect(shown).to_be_empty()
    expect(page.get_by_role("button", name="Zoom in")).to_be_focused()
    page.get_by_text("As a table").last.press("Enter")
    # Once the whole has been fetched.
    page.wait_for_function(
        """() => {
            const figures = [...document.querySelectorAll("#curve-table tbody td")].map((cell) => cell.textContent);
            return figures.length && figures.every((text) => /^\\d+\\.\\d$/.test(text));
        }"""
    )


def bring_curve(page):
    """Onto the screen; where it is then. It may be drawn anew at any moment, its frame stays."""
    page.wait_for_selector("#curve .u-over")
    page.locator("#curve").scroll_into_view_if_needed()
    return page.evaluate("document.querySelector('#curve .u-over').getBoundingClientRect().toJSON()")


def touch(page, *moments):
    """Fingers on the screen: at each moment the places of all of them."""
    hands = page.context.new_cdp_session(page)
    for number, places in enumerate(moments):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        hands.send("Input.dispatchTouchEvent", {"type": "touchMove" if number else "touchStart", "touchPoints": points})
    hands.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def spread(page):
    """Two fingers on the curve."""
    box = bring_curve(page)
    middle, height = box["x"] + box["width"] / 2, box["y"] + 60
    touch(page, *([(middle - apart, height), (middle + apart, height)] for apart in (20, 60, 100)))


def test_looking_back(page, move_in, broker, house, site):
    move_in(page, "101")
    noon = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0) - dt.timedelta(days=1)
    for days in (0, 1):
        for number in range(4):
            measure(broker, 1 + number, noon - dt.timedelta(days=days, minutes=4 * number))
    wait_for(lambda: len(house.readings()) == 8, "the readings are stored")
    house.manage("housekeep")
    page.goto(f"{site}/history?since={noon.date()}&until={noon.date()}")
    # Short on a telephone.
    expect(page.get_by_role("heading", name=f"{noon:%a} {noon.day} {noon:%b} {noon.year}", exact=True)).to_be_visible()
    box = bring_curve(page)
    page.mouse.move(box["x"] + 5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 20, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="All of it").click()
    expect(page.get_by_role("button", name="All of it")).to_be_hidden()
    look_closer_by_keyboard(page)
    spread(page)
    expect(page).to_have_url(re.compile("begin="))
    page.get_by_role("button", name="All of it").click()
    page.get_by_role("navigation", name="Also show").get_by_role("link", name="Voltage").click()
    expect(page).not_to_have_url(re.compile("begin="))
    expect(page.locator("#voltage")).to_have_attribute("aria-label", re.compile("between 100.0 and 100.0 V"))
    expect(page.get_by_text(re.compile("Outside of the band"))).to_be_visible()
    page.get_by_role("link", name="Earlier").click()
    expect(page.locator("[aria-labelledby=table-title] tbody tr")).to_have_count(4)
    page.go_back()
    page.get_by_role("link", name="Month", exact=True).click()
    expect(page.locator("#hours tbody tr").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    switch(page, broker, house, site)


@pytest.fixture
def telephone(browser, browser_context_args):
    """A page that fingers touch."""
    context = browser.new_context(**browser_context_args, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


def test_hours_that_only_the_register_counted_are_no_unknown_ones(telephone, move_in, broker, house, site):
    move_in(telephone, "101")
    yesterday = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=1)
    for hour, energy in ((1, 100), (4, 103)):
        at = yesterday + dt.timedelta(hours=hour)
        broker.publish(TOPIC, f'{{"voltage": 100, "current": 1, "energy": {energy}, "timestamp": "{at.isoformat()}"}}')
    wait_for(lambda: len(house.readings()) == 2, "the readings are stored")
    house.manage("housekeep")
    telephone.goto(f"{site}/history?since={yesterday.date() - dt.timedelta(days=6)}&until={yesterday.date()}")
    cells = telephone.locator("#hours tbody tr").last.locator("td")
    expect(cells).to_have_text(["unknown", *["1.00"] * 3, *["unknown"] * 20])
    cells.nth(2).tap()
    expect(telephone.locator("#hours-told")).to_have_text(re.compile("2:00: 1.00 kWh$"))


def test_one_finger_on_a_curve_moves_the_page_and_two_look_closer(telephone, move_in, broker, site):
    move_in(telephone, "101")
    measure(broker, 1)
    expect(power(telephone)).to_have_text("90.0")
    telephone.goto(f"{site}/history")
    box = bring_curve(telephone)
    before = telephone.evaluate("scrollY")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 10
    touch(telephone, *([(x, y - moved)] for moved in range(0, 101, 10)))
    telephone.wait_for_function("before => scrollY > before + 50", arg=before)
    assert "begin=" not in telephone.url
    spread(telephone)
    expect(telephone).to_have_url(re.compile("begin="))
    assert telephone.evaluate("visualViewport.scale") == 1


def switch(page, broker, house, site):
    """From one apartment to another: what is live comes from there."""
    house.execute("""INSERT INTO accounts_tenancy (apartment_id, moved_in)
        SELECT id, '2025-01-01' FROM accounts_apartment WHERE number = '201'""")
    house.execute("""INSERT INTO accounts_tenancy_residents (tenancy_id, user_id)
        SELECT t.id, u.id FROM accounts_tenancy t, accounts_user u ORDER BY t.id DESC LIMIT 1""")
    page.goto(site)
    expect(page.get_by_role("heading", name="Apartment 101")).to_be_visible()
    page.get_by_role("navigation", name="Apartment and meter").get_by_role("link", name="201").click()
    expect(page.get_by_role("heading", name="Apartment 201")).to_be_visible()
    measure(broker, 9)
    broker.publish(TOPIC.replace("101", "201"), '{"voltage": 100, "current": 5}')
    expect(power(page)).to_have_text("500.0")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("Apartment 201 ·")).to_be_visible()
