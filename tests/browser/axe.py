"""What axe finds on a page: what a screen reader, a keyboard or weak eyes would stumble over."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

ONLY = {"resultTypes": ["violations"]}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]} | ONLY
# Swagger's own: a button in a button, and headings that begin with the second level.
SWAGGER = {"nested-interactive", "heading-order"}


def violations(page: Page) -> list[str]:
    """Of all its rules in light, of those on colours in dark; each with where it is."""
    page.emulate_media(reduced_motion="reduce")
    found = _in_theme(page, "light", ONLY) + _in_theme(page, "dark", COLOURS)
    page.emulate_media(color_scheme="light")
    return found


def _in_theme(page: Page, theme: Any, options: dict[str, Any]) -> list[str]:
    page.emulate_media(color_scheme=theme)
    # Where a script follows the system's choice, it has.
    page.wait_for_function("theme => (document.documentElement.dataset.bsTheme ?? theme) === theme", arg=theme)
    said = []
    for violation in Axe().run(page, options=options).response["violations"]:
        words = f"{theme}: {violation['id']} ({violation['help']})"
        nodes = violation["nodes"] if not page.locator("#swagger-ui").count() or violation["id"] not in SWAGGER else ()
        said += [f"{words} at {node['target']}: {node['html']}" for node in nodes]
    return said
