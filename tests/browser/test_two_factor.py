"""Two-factor log-in on a phone, in real Chromium."""

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import expect

pytestmark = pytest.mark.sqlite


def code_of(secret, periods):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


def log_in(page, site):
    page.goto(f"{site}/login")
    page.get_by_label("Email").fill("resident101@example.org")
    page.get_by_label("Password").fill("correct horse 7")
    page.get_by_role("button", name="Log in").click()


def test_set_up_log_in_with_a_code_and_take_it_off(page, browser, move_in, site):
    move_in(page, "101")
    elsewhere = browser.new_page()
    log_in(elsewhere, site)
    expect(elsewhere.get_by_role("heading", name="Apartment 101")).to_be_visible()

    page.goto(f"{site}/account")
    page.get_by_role("link", name="Set up two-factor log-in").click()
    page.get_by_label("Password").fill("correct horse 7")
    page.get_by_role("button", name="Go on").click()
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0
    secret = page.locator("code").inner_text()
    page.get_by_label("Code").fill(code_of(secret, 0))
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("Two-factor log-in is on.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text=re.compile(r"^\d{8}$"))).to_have_count(10)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a file").click()
    assert download.value.suggested_filename == "recovery-codes.txt"

    # The page that stayed open goes there by itself.
    expect(elsewhere.get_by_role("heading", name="Log in")).to_be_visible()
    log_in(elsewhere, site)
    elsewhere.get_by_label("Code").fill(code_of(secret, 1))
    elsewhere.get_by_role("button", name="Log in").click()
    expect(elsewhere.get_by_role("heading", name="Apartment 101")).to_be_visible()

    page.get_by_role("link", name="Done").click()
    page.get_by_role("button", name="Log out everywhere else").click()
    expect(page.get_by_text("All other devices are logged out.")).to_be_visible()
    expect(elsewhere.get_by_role("heading", name="Log in")).to_be_visible()

    page.get_by_role("link", name="Take two-factor off").click()
    page.get_by_role("button", name="Take it off").click()
    expect(page.get_by_role("link", name="Set up two-factor log-in")).to_be_visible()
    elsewhere.close()
