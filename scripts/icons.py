"""Draws the icons of the home screen from static/img/riser.svg, in Chromium: `python -m scripts.icons`."""

import os
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.broker import find

FOLDER = Path(__file__).resolve().parent.parent / "static/img"
# Systems cut these into a shape of their own: colour to the edge, and the drawing within the middle four fifths.
CUT = {"icon-maskable-512": (512, 0.8), "apple-touch-icon": (180, 0.94)}
WHOLE = {"icon-192": 192, "icon-512": 512}
BACKGROUND = "#0f4c5c"


def main() -> None:
    """Write the PNG files beside the drawing."""
    drawing = (FOLDER / "riser.svg").read_text()
    with sync_playwright() as playwright:
        program = find("chromium-headless-shell", "chromium-headless-shell")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        for name, size in WHOLE.items():
            _draw(browser, drawing, name, size, 1.0, "transparent")
        for name, (size, part) in CUT.items():
            _draw(browser, drawing, name, size, part, BACKGROUND)
        browser.close()


def _draw(browser: Browser, drawing: str, name: str, size: int, part: float, background: str) -> None:
    page = browser.new_page(viewport={"width": size, "height": size})
    style = f"margin: 0; height: 100vh; display: grid; place-items: center; background: {background}"
    page.set_content(f'<body style="{style}">{drawing.replace("<svg", f"<svg width={size * part}", 1)}</body>')
    page.screenshot(path=FOLDER / f"{name}.png", omit_background=True)
    page.close()


if __name__ == "__main__":
    main()
