"""The dashboard by keyboard alone, in real Chromium."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.sqlite


def focused(page):
    """The name of what has the focus."""
    return page.evaluate("(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()")


def is_marked(page):
    style = "getComputedStyle(document.activeElement)"
    return page.evaluate(f"{style}.outlineStyle !== 'none' || {style}.boxShadow !== 'none'")


def tab_to(page, name):
    """Goes on until something of that name has the focus, which is to be seen everywhere on the way."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            # Beyond the last one; from here it begins anew.
            continue
        assert is_marked(page), focused(page)
        if name in focused(page):
            return
    raise AssertionError(f"no way to {name!r}")


def test_from_the_first_tab_to_a_saved_reading_and_out(page, move_in, broker):
    move_in(page, "101")
    broker.publish("electricity/house/floor/101", '{"voltage": 220, "current": 2}')
    expect(page.locator("[data-figure=power]")).to_have_text("440.0")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.get_by_label("Note").focus()
    page.keyboard.type("Oven")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved 440.0 W")).to_be_visible()
    tab_to(page, "Undo")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Undo")).to_be_hidden()
    page.reload()
    tab_to(page, "Your account")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Your account")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Your account")).to_be_hidden()
    assert "Your account" in focused(page)
    page.keyboard.press("Enter")
    tab_to(page, "Log out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
