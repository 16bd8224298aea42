"""Usage as bars: a picture that a server can draw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from urllib.parse import urlencode

from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Building
from metering import figures
from metering.periods import DAY, By
from metering.usage import Usage

HEIGHT = 100
PITCH = 10
"""From one bar to the next; a bar takes most of it."""
GAP = 1.5
FORMATS = {
    By.HOUR: gettext_lazy("j M, H:i"),
    By.DAY: gettext_lazy("D j M"),
    By.WEEK: gettext_lazy("j M Y"),
    By.MONTH: gettext_lazy("M Y"),
    By.YEAR: "Y",
}


@dataclass(frozen=True)
class Bar:
    """A period's usage, where its bar stands, and the dates to look at to see it in more detail."""

    usage: Usage
    label: str
    x: int
    height: float
    query: str
    before: Usage | None = None
    """The same part a year earlier."""
    before_height: float = 0.0


@dataclass(frozen=True)
class Bars:
    """All bars of a picture, `width` wide and HEIGHT high; the highest stands for `top` mWh."""

    bars: Sequence[Bar]
    top: int
    is_beside: bool = False
    """Whether each bar stands beside the one of a year earlier."""

    @property
    def width(self) -> int:
        """In the same unit as the height."""
        return PITCH * len(self.bars)

    @property
    def rectangles(self) -> SafeString:
        """The inside of the picture, an SVG. Made here: a template takes five times as long."""
        return SafeString("".join(_rectangles(bar, is_beside=self.is_beside) for bar in self.bars))


def _rectangles(bar: Bar, *, is_beside: bool) -> str:
    words = f"{bar.label}: {figures.energy_and_costs(bar.usage)}"
    if bar.before:
        words = _("{figures}; a year before {energy} kWh").format(
            figures=words, energy=figures.kilowatt_hours(bar.before.energy)
        )
    css = "bar" if bar.usage.is_complete else "bar unsure"
    left, width = bar.x + GAP / 2, PITCH - GAP
    drawn = (
        f'<rect class="whole" x="{bar.x}" y="0" width="{PITCH}" height="{HEIGHT}"><title>{escape(words)}</title></rect>'
    )
    if is_beside:
        width /= 2
        drawn += _rectangle("bar before", left, bar.before_height, width)
        left += width
    drawn += _rectangle(css, left, bar.height, width)
    return f'<a href="?{escape(bar.query)}" tabindex="-1">{drawn}</a>' if bar.query else drawn


def _rectangle(css: str, left: float, height: float, width: float) -> str:
    return f'<rect class="{css}" x="{left:g}" y="{HEIGHT - height:g}" width="{width:g}" height="{height:g}"/>'


def bars(
    usages: Sequence[Usage], building: Building, by: By, kept: dict[str, str] | None = None,
    before: Sequence[Usage | None] = (),
) -> Bars:  # fmt: skip
    """One bar for each period, beside that of a year earlier where these are given. Its link keeps these parameters."""
    top = max((usage.energy for usage in (*usages, *before) if usage), default=0)
    found = [_bar(number, usage, building, by, top, kept or {}) for number, usage in enumerate(usages)]
    if before:
        found = [_beside(bar, then, top) for bar, then in zip(found, before, strict=True)]
    return Bars(found, top, is_beside=bool(before))


def _bar(number: int, usage: Usage, building: Building, by: By, top: int, kept: dict[str, str]) -> Bar:
    begin = usage.period.begin.astimezone(building.zone)
    last = (usage.period.end.astimezone(building.zone) - DAY / 86_400_000).date()
    query = urlencode({"since": begin.date().isoformat(), "until": last.isoformat()} | kept, safe="/")
    label = date_format(begin, str(FORMATS[by]))
    return Bar(usage, label, number * PITCH, _height(usage, top), "" if by == By.HOUR else query)


def _beside(bar: Bar, then: Usage | None, top: int) -> Bar:
    return replace(bar, before=then, before_height=_height(then, top))


def _height(usage: Usage | None, top: int) -> float:
    return round(HEIGHT * usage.energy / top, 2) if usage and top else 0.0
