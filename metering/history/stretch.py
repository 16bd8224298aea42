"""Stretches of local days to look at: a day, a week, a month, a year, or any others; and what lies beside them."""

import datetime as dt
from typing import NamedTuple

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from metering.periods import DAY, By, next_begin

KINDS = (By.DAY, By.WEEK, By.MONTH, By.YEAR)


class Stretch(NamedTuple):
    """Local days, the last one included."""

    first: dt.date
    last: dt.date

    @property
    def kind(self) -> By | None:
        """What it is, as a whole; None where it is none of KINDS."""
        return next((by for by in KINDS if self == around(by, self.first)), None)

    @property
    def before(self) -> "Stretch":
        """As long a one, up to the day before: the month before a month."""
        if self.kind:
            return around(self.kind, self.first - DAY)
        return Stretch(self.first - self._length, self.first - DAY)

    @property
    def after(self) -> "Stretch":
        """As long a one, from the day after on."""
        if self.kind:
            return around(self.kind, self.last + DAY)
        return Stretch(self.last + DAY, self.last + self._length)

    @property
    def query(self) -> str:
        """The query string that leads to it."""
        return f"since={self.first.isoformat()}&until={self.last.isoformat()}"

    @property
    def title(self) -> str:
        """Such as Wednesday 25 November 2026, 23 to 29 November 2026, November 2026, 2026."""
        if self.kind == By.YEAR:
            return str(self.first.year)
        if self.kind == By.MONTH:
            return date_format(self.first, _("F Y"))
        if self.kind == By.DAY:
            return date_format(self.first, _("l j F Y"))
        ends = {"first": date_format(self.first, self._begin_format), "last": date_format(self.last, _("j F Y"))}
        return _("%(first)s to %(last)s") % ends

    @property
    def _length(self) -> dt.timedelta:
        return self.last - self.first + DAY

    @property
    def _begin_format(self) -> str:
        if self.first.year != self.last.year:
            return _("j F Y")
        return _("j F") if self.first.month != self.last.month else _("j")


def around(by: By, date: dt.date) -> Stretch:
    """The day, week (from Monday), month or year in which that day lies."""
    first = {
        By.WEEK: date - date.weekday() * DAY,
        By.MONTH: date.replace(day=1),
        By.YEAR: date.replace(month=1, day=1),
    }.get(by, date)
    return Stretch(first, next_begin(first, by) - DAY)
