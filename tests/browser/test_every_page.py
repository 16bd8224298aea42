"""Every page in real Chromium: the policy refuses nothing, axe finds nothing, and what is slipped in does not run."""

import datetime as dt
import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import TOLD, violations, violations_in_dark
from tests.factories import PASSWORD
from tests.test_headers import production
from tests.waiting import wait_for
from tests.walls.table import GET

pytestmark = pytest.mark.sqlite

ROOT = "root@example.org"
TOPIC = "electricity/house/floor/101"
NOON = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0) - dt.timedelta(days=1)
WEEK = f"/history?since={NOON.date() - dt.timedelta(days=6)}&until={NOON.date()}&voltage=1&year_ago=1"
REPORT = """
  window.refused = [];
  addEventListener("securitypolicyviolation", (event) => {
    window.refused.push(event.effectiveDirective);
    console.error(`refused: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
  });
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory, templates, broker, static_root):
    """Production's settings; without TLS, for a browser takes no certificate from a test."""
    folder = tmp_path_factory.mktemp("policy")
    with production(folder, templates, broker.port, static_root, HTTPS="off") as made:
        made.start_listener()
        yield made


@pytest.fixture(scope="module")
def site(house):
    return house.start_web()


@pytest.fixture(autouse=True)
def told(page, no_errors):
    """What the policy refuses is told in the console, where it fails the test."""
    page.add_init_script(REPORT)
    yield
    # Error pages are noted there, too.
    no_errors.drop("Failed to load resource")


NO_PAGES = ("/live", "/account/data", GET["export"].path)
"""A stream and downloads."""


@pytest.fixture
def examine(page, site, no_errors):
    """Opens a page at which the policy refuses nothing and these find nothing."""

    def open_one(path, *inspections):
        answer = page.goto(site + path)
        page.wait_for_load_state()
        assert page.evaluate("window.refused") == [], path
        no_errors.drop("Failed to load resource")
        assert no_errors == [], path
        for find in inspections if "html" in answer.headers["content-type"] else ():
            assert find(page) == [], path
        no_errors.drop(*TOLD)

    return open_one


def invitation(house, number):
    return house.manage("invite", "house", number, "--moved-in", "2026-01-01").strip().partition("=")[2]


def log_in(page, site, email):
    page.goto(f"{site}/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture(scope="module")
def filled(house, site, broker, browser):
    """Something in every table that has a page in admin."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site}/register?invitation={invitation(house, '101')}")
    page.get_by_label("Email").fill("resident@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Move in").click()
    page.get_by_role("heading", name="Apartment 101").wait_for()
    context.clear_cookies()
    page.goto(f"{site}/register")
    page.get_by_label("Email").fill("applicant@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Apartment number").fill("201")
    page.get_by_label("Floor").fill("2")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("heading", name="Check your mailbox").wait_for()
    context.close()
    broker.publish(TOPIC, '{"voltage": 220.5, "current": 2.3}')
    broker.publish(TOPIC, "no reading")
    # More than stand on one page of the history.
    for minutes in range(30):
        at = NOON + dt.timedelta(minutes=minutes)
        broker.publish(TOPIC, f'{{"voltage": 220.5, "current": 2.3, "timestamp": "{at.isoformat()}"}}')
    wait_for(lambda: len(house.query("SELECT 1 FROM metering_reading")) == 31, "the readings")
    house.manage("housekeep")
    wait_for(lambda: house.query("SELECT 1 FROM metering_rejectedmessage"), "a refused message")


def test_pages_for_everybody(house, examine):
    token = invitation(house, "101")
    pages = [row.path for row in GET.values() if row.out == 200]
    for path in (*pages, f"/register?invitation={token}", "/register?invitation=nosuch", "/nosuch"):
        examine(path, violations, violations_in_dark)


def test_pages_of_a_resident(page, house, site, filled, broker, examine):
    log_in(page, site, "resident@example.org")
    expect(page.locator("#curve canvas")).to_be_visible()
    broker.publish(TOPIC, '{"voltage": 231.25, "current": 2.3}')
    expect(page.locator("[data-figure=voltage]")).to_have_text("231.25")
    page.get_by_label("Note").fill("Oven")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved ")).to_be_visible()
    page.get_by_role("button", name=re.compile("Your account")).click()
    expect(page.get_by_role("link", name="Your account")).to_be_visible()
    pages = [row.path for row in GET.values() if row.living == 200 and row.path not in NO_PAGES]
    for path in (*pages, "/history?show=saved", "/nosuch", "/admin/"):
        examine(path, violations, violations_in_dark)
    page.goto(site + WEEK)
    expect(page.locator("#hours tbody tr").first).to_be_visible()
    expect(page.get_by_role("link", name="Next")).to_be_visible()
    examine(WEEK, violations, violations_in_dark)
    page.goto(f"{site}/history")
    expect(page.locator("#curve canvas")).to_be_visible()
    page.goto(f"{site}/account/two-factor/set-up")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main button[type=submit]").click()
    expect(page.get_by_label("Code")).to_be_visible()
    assert page.locator(".qr-code").evaluate("image => image.complete && image.naturalWidth") > 0


def test_the_page_of_the_api(page, site, filled, no_errors):
    log_in(page, site, "resident@example.org")
    page.goto(f"{site}/api/docs")
    expect(page.get_by_role("link", name="History")).to_be_visible()
    for name in ("The latest reading", "Keep the latest reading"):
        operation = page.locator(".opblock", has_text=name).first
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text(
            re.compile("20[01]")
        )
    assert page.evaluate("window.refused") == []


def test_every_page_of_admin(page, site, filled, examine):
    log_in(page, site, ROOT)
    # Whoever looks at readings leaves a record, which has a page, too.
    page.goto(f"{site}/admin/metering/reading/")
    page.locator("#result_list tbody th a").first.click()
    enter_a_tariff(page, site)
    examine(page.url.removeprefix(site), violations, violations_in_dark)
    page.goto(f"{site}/admin/accounts/apartment/")
    page.get_by_role("link", name="201").click()
    expect(page.get_by_role("heading", name="What comes next")).to_be_visible()
    examine(page.url.removeprefix(site), violations, violations_in_dark)
    page.goto(f"{site}/admin/")
    lists = page.locator("#content-main th a").evaluate_all("links => links.map((link) => link.pathname)")
    assert len(lists) >= 10
    for path in lists:
        page.goto(site + path)
        first = page.locator("#result_list tbody th a").first
        assert first.count() == 1, f"nothing in {path}"
        detail = first.evaluate("link => link.pathname").removesuffix("change/")
        examine(f"{path}?q=x", violations, violations_in_dark)
        for form in (f"{path}add/", f"{detail}change/"):
            examine(form, violations, violations_in_dark)
        for part in ("history/", "delete/", "password/"):
            # These look the same for all but tariffs, which are withdrawn.
            examine(detail + part, *([violations] if path == lists[0] or "tariff" in path else []))


def enter_a_tariff(page, site):
    page.goto(f"{site}/admin/metering/tariff/add/")
    page.get_by_label("Valid from:").fill("2026-01-01")
    page.locator("#id_rates-0-name").fill("Day")
    page.locator("#id_rates-0-price").fill("0.31")
    page.locator("#id_rates-0-hours").fill("06:00-22:00")
    page.get_by_text("Add another rate").click()
    page.locator("#id_rates-2-name").fill("Night")
    page.locator("#id_rates-2-price").fill("0.25")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.goto(f"{site}/admin/accounts/building/")
    page.get_by_role("link", name="Energy").first.click()
    expect(page.get_by_role("heading", name="Main meter")).to_be_visible()
    assert page.evaluate("window.refused") == []


def test_what_moves_in_admin(page, site, filled):
    log_in(page, site, ROOT)
    page.goto(f"{site}/admin/accounts/tenancy/add/")
    page.locator("#calendarlink0").click()
    page.locator("#calendarbox0 td a", has_text=re.compile("^15$")).click()
    expect(page.get_by_label("Moved in:")).to_have_value(re.compile("-15$"))
    chooser = page.locator("#id_residents_from")
    chooser.select_option(label="resident@example.org")
    page.locator("#id_residents_add_link, #id_residents_add").first.click()
    expect(page.locator("#id_residents_to option")).to_have_count(1)
    with page.expect_popup() as opened:
        page.locator("#add_id_apartment").click()
    popup = opened.value
    popup.get_by_label("Building:").select_option(index=1)
    popup.get_by_label("Number:").fill("301")
    popup.get_by_label("Floor:").fill("3")
    popup.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#id_apartment option", has_text="house/301")).to_have_count(1)
    page.goto(f"{site}/admin/accounts/invitation/add/")
    # The browser is in New York and the house is not.
    expect(page.locator(".timezonewarning")).to_be_hidden()
    expect(page.get_by_text("By the time of UTC.")).to_be_visible()
    page.locator("#clocklink0").click()
    page.locator("#clockbox0").get_by_role("link", name="Noon").click()
    expect(page.locator("#id_expires_at_1")).to_have_value("12:00:00")
    page.locator("#id_tenancy").select_option(index=1)
    page.get_by_role("button", name="Save", exact=True).click()
    copies_the_link(page)
    page.goto(f"{site}/admin/accounts/apartment/")
    page.locator("#action-toggle").check()
    expect(page.locator(".action-counter")).to_contain_text("3 of 3 selected")
    page.locator("select[name=action]").select_option("delete_selected")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("heading", name=re.compile("Delete|cannot be deleted"))).to_be_visible()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("window.refused") == []


def copies_the_link(page):
    """Where the clipboard is refused, the link is marked and copied from there."""
    link = page.locator("#invitation-link")
    expect(link).to_contain_text("/register")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link.inner_text()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    for works, words in ((True, "Copied"), (False, "The link is marked")):
        page.evaluate("works => { document.execCommand = () => works; }", works)
        page.get_by_role("button", name="Copy the link").click()
        expect(page.locator("#copied")).to_contain_text(words)
        assert page.evaluate("getSelection().toString().trim()") == link.inner_text()
    page.context.clear_permissions()


SLIPPED_IN = """
<script>window.ran = "a script"</script>
<img src="/static/nosuch.png" onerror="window.ran = 'a handler'">
<p id="slipped" style="color: rgb(1, 2, 3)">x</p><style>body { background: rgb(1, 2, 3) }</style>
<form action="https://evil.example.org/" id="thief"></form><base href="https://evil.example.org/">
</body>"""


def slip_in(page, site, drop_policy):
    def answer(route):
        response = route.fetch()
        headers = {name: value for name, value in response.headers.items() if not drop_policy or "policy" not in name}
        route.fulfill(response=response, headers=headers, body=response.text().replace("</body>", SLIPPED_IN))

    page.route(f"{site}/login", answer)
    page.goto(f"{site}/login")
    page.wait_for_load_state()


def test_what_is_slipped_into_a_page_does_not_run(page, site, no_errors):
    slip_in(page, site, drop_policy=False)
    assert page.locator("#slipped").evaluate("element => getComputedStyle(element).color") != "rgb(1, 2, 3)"
    page.evaluate("document.getElementById('thief').submit()")
    refused = {"script-src-elem", "script-src-attr", "style-src-attr", "style-src-elem", "base-uri", "form-action"}
    page.wait_for_function("expected => new Set(window.refused).size >= expected", arg=len(refused))
    assert set(page.evaluate("window.refused")) == refused
    assert page.evaluate("window.ran") is None
    assert page.url == f"{site}/login"
    assert len(no_errors) >= len(refused)
    no_errors.drop("violates the following Content Security Policy directive", "refused: ")


def test_without_the_policy_it_would(page, site):
    slip_in(page, site, drop_policy=True)
    page.wait_for_function("window.ran === 'a handler'")
    assert page.locator("#slipped").evaluate("element => getComputedStyle(element).color") == "rgb(1, 2, 3)"


def test_no_other_page_may_frame_it(page, site, no_errors):
    frame = f'<iframe src="{site}/login"></iframe>'
    page.route(f"{site}/frame", lambda route: route.fulfill(body=frame, content_type="text/html"))
    page.goto(f"{site}/frame")
    page.wait_for_load_state()
    assert page.frames[1].url == "chrome-error://chromewebdata/"
    assert any("frame" in error for error in no_errors)
    no_errors.drop("Framing")


def test_what_was_shown_is_gone_after_logging_out(page, site, filled):
    log_in(page, site, "resident@example.org")
    page.goto(f"{site}/history")
    page.get_by_role("button", name=re.compile("Your account")).click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{site}/login")
    page.go_back()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
