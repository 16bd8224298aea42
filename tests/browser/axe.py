"""What axe finds on a page: what a screen reader, a keyboard or weak eyes would stumble over."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

ONLY = {"resultTypes": ["violations"]}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]} | ONLY
TOLD = ("Applying inline style violates", "refused: style-src", "Failed to load resource")
"""What the console says of it: it tries styles that the policy refuses, and loads style sheets and what they name."""
# Swagger's own: a button in a button, and no heading of the first level.
SWAGGER = {"nested-interactive", "heading-order", "page-has-heading-one"}


def violations(page: Page) -> list[str]:
    """Of all its rules, in light; each with where it is."""
    return _found(page, "light", ONLY)


def violations_in_dark(page: Page) -> list[str]:
    """Of the rules on colours."""
    return _found(page, "dark", COLOURS)


def _found(page: Page, theme: Any, options: dict[str, Any]) -> list[str]:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    # Where a script follows the system's choice, it has.
    page.wait_for_function("theme => (document.documentElement.dataset.bsTheme ?? theme) === theme", arg=theme)
    said = []
    for violation in Axe().run(page, options=options).response["violations"]:
        words = f"{theme}: {violation['id']} ({violation['help']})"
        nodes = violation["nodes"] if not page.locator("#swagger-ui").count() or violation["id"] not in SWAGGER else ()
        said += [f"{words} at {node['target']}: {node['html']}" for node in nodes]
    return said
