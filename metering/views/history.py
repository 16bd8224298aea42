"""Looking back: saved readings and all readings, with statistics of what is shown."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import get_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.access import CHOICE, Residence
from accounts.models import plausible_date
from metering.choice import METER, load_choice, switch_of
from metering.figures import column
from metering.history.bars import bars
from metering.history.lookback import own_time
from metering.history.statistics import statistics, statistics_of
from metering.history.stretch import KINDS, Stretch, around
from metering.history.voltage import HIGH, LOW, NOMINAL, quality
from metering.history.year_ago import year_ago
from metering.models import Reading
from metering.periods import DAY, By, Period
from metering.usage import Subject, combine, usage

PAGE_SIZE = 25
COLUMNS = {
    "time": ("taken_at", gettext_lazy("Time")),
    "voltage": ("voltage", gettext_lazy("Voltage")),
    "current": ("current", gettext_lazy("Current")),
    "power": ("power", gettext_lazy("Power")),
    "note": ("note", gettext_lazy("Note")),
}
NEWEST_FIRST = "-time"
DOWNLOADS = (
    ("readings", gettext_lazy("Readings"), False),
    ("quarter-hours", gettext_lazy("Quarter hours"), True),
    ("days", gettext_lazy("Days"), False),
    ("months", gettext_lazy("Months"), False),
)
WITHOUT_READINGS = {"downloads": DOWNLOADS[1:]}
NAMES = {
    By.DAY: gettext_lazy("Day"),
    By.WEEK: gettext_lazy("Week"),
    By.MONTH: gettext_lazy("Month"),
    By.YEAR: gettext_lazy("Year"),
}
KEPT = (CHOICE, METER, "voltage", "year_ago")
"""What stays as it is on the way to other days."""
ZOOM = {"begin", "end"}
"""Where one looks closer, which the page's script knows better than the address it was fetched by: it adds them."""
CURVE_DOWNLOADS = {By.HOUR: "readings", By.DAY: "quarter-hours", By.MONTH: "days", By.YEAR: "days"}
BARS_DOWNLOADS = {By.HOUR: "quarter-hours", By.DAY: "days", By.MONTH: "months", By.YEAR: "months"}
"""What has the figures that are drawn."""
PARTS = ((2.1, By.HOUR), (62.1, By.DAY), (1100, By.MONTH))
"""Up to so many days are shown by these."""


class HistoryForm(forms.Form):
    """What to show. The URL holds it, so that a page can be kept and sent."""

    show = forms.ChoiceField(
        label=gettext_lazy("Show"), choices=[(name, name) for name in ("all", "saved")], required=False
    )
    since = forms.DateField(label=gettext_lazy("From"), required=False, validators=plausible_date)
    until = forms.DateField(label=gettext_lazy("To"), required=False, validators=plausible_date)
    voltage = forms.BooleanField(required=False)
    year_ago = forms.BooleanField(required=False)
    sort = forms.ChoiceField(
        choices=[(sign + name, name) for name in COLUMNS for sign in ("", "-")],
        required=False,
        widget=forms.HiddenInput,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] > cleaned["until"]:
            self.add_error("until", _("This day is before the first one."))
        return cleaned


@dataclass(frozen=True)
class Column:
    """A heading of the table, and where a click on it leads."""

    title: str
    query: str
    direction: str


@require_safe
@login_required
def history(request: HttpRequest) -> HttpResponse:
    """The household's readings in its own time."""
    residence = load_choice(request)
    form = HistoryForm(request.GET or None)
    choice = form.cleaned_data if form.is_valid() else {}
    saved_only = choice.get("show") == "saved"
    first, last = choice.get("since"), choice.get("until")
    if not saved_only and not (first or last):
        # All readings of all time are a great many: begin with today.
        first = last = _last_day(residence)
    own = own_time(residence, first, last)
    readings = Reading.objects.of(residence.during(*own))
    readings = readings.saved() if saved_only else readings
    kept = {name: request.GET[name] for name in KEPT if name in request.GET}
    beside = None if saved_only else _beside(residence, first, last)
    table = _table(request, readings, choice)
    charts = {} if saved_only else _charts(residence, own, choice, beside, kept)
    power = statistics(readings) if saved_only else statistics_of(residence, own, charts["sum"])
    context = {
        "residence": residence,
        "switch": switch_of(residence, _parameters(request, CHOICE, METER, "page")),
        "kept": urlencode(kept, safe="/"),
        "kept_fields": kept,
        "form": form,
        "saved_only": saved_only,
        "first": first,
        "last": last,
        "beside": beside,
        "since": form["since"].value() or first,
        "until": form["until"].value() or last,
        "statistics": power,
        "also": _also(request, choice, beside),
        "has_curve": not saved_only and power["number"] > 0,
        "elsewhere": _elsewhere(residence, own, first, last),
        "kept_days": settings.READING_RETENTION_DAYS,
        "are_gone": not saved_only and _are_gone(own, power["number"], table["page"].paginator.count),
        "dates": urlencode({name: date.isoformat() for name, date in (("since", first), ("until", last)) if date}),
    }
    if charts and not table["page"]:
        charts |= WITHOUT_READINGS | {name: "quarter-hours" for name, what in charts.items() if what == "readings"}
    return render(request, "metering/history.html", context | charts | table)


def _elsewhere(residence: Residence, own: Period, first: dt.date | None, last: dt.date | None) -> str:
    """Why nothing can be known of these days; empty where something could."""
    if first and first > residence.building.today():
        return "coming"
    if residence.during(*own).spans:
        return ""
    return "before" if last and residence.building.midnight(last) < residence.since else "away"


def _are_gone(own: Period, number: int, there: int) -> bool:
    """Whether readings of these days are deleted, so that there are fewer than quarter hours and days tell of."""
    return there < number and own.begin < timezone.now() - dt.timedelta(days=settings.READING_RETENTION_DAYS)


def _table(request: HttpRequest, readings: QuerySet[Reading], choice: dict[str, Any]) -> dict[str, Any]:
    """The readings, a page at a time."""
    sort = choice.get("sort") or NEWEST_FIRST
    page = Paginator(_ordered(readings, sort), PAGE_SIZE).get_page(request.GET.get("page"))
    figures = (column([getattr(reading, name) for reading in page]) for name in ("voltage", "current", "power"))
    return {
        "columns": _columns(request, sort),
        "page": page,
        "rows": zip(page, *figures, strict=True),
        "query": _query(request, page=None),
    }


def _charts(
    residence: Residence, own: Period, choice: dict[str, Any], beside: "Beside | None", kept: dict[str, str]
) -> dict[str, Any]:
    """Energy; voltage, and what was a year before, where they are asked for."""
    past = own.within(own.begin, residence.building.midnight(residence.building.today() + DAY))
    by = _by(past)
    energy = usage(Subject.of_residence(residence), *past, by)
    before = None
    if choice.get("year_ago") and beside and energy:
        before = year_ago(residence, beside.shown, past, energy, by, timezone.now())
    context = {
        "past": past,
        "sum": combine(energy),
        "energy": bars(energy, residence.building, by, kept, before.parts if before and before.is_known else ()),
        "year_ago": before,
        "by_hours": by == By.HOUR,
        "has_hours": by == By.DAY and any(day.energy for day in energy),
        "downloads": DOWNLOADS,
        # English and American spreadsheets take the files as they are.
        "csv_is_foreign": get_format("DECIMAL_SEPARATOR") != ".",
        "curve_download": CURVE_DOWNLOADS[by],
        "bars_download": BARS_DOWNLOADS[by],
    }
    return context | (_voltage(residence, past, by) if choice.get("voltage") else {})


def _voltage(residence: Residence, past: Period, by: By) -> dict[str, Any]:
    return {
        "has_voltage": True,
        "voltage": quality(residence, past),
        "band": {"nominal": NOMINAL, "low": LOW, "high": HIGH},
        "voltage_download": "readings" if by == By.HOUR else "quarter-hours",
    }


def _also(request: HttpRequest, choice: dict[str, Any], beside: "Beside | None") -> list[tuple[str, str, bool]]:
    """What may be shown besides: the name, the query that shows or hides it, and whether it is shown."""
    titles = {"voltage": _("Voltage")} | ({"year_ago": _("A year before")} if beside else {})
    return [
        (title, _query(request, **{name: None if choice.get(name) else "1"}, page=None), bool(choice.get(name)))
        for name, title in titles.items()
    ]


@dataclass(frozen=True)
class Beside:
    """Where one may go from the days that are shown. None where the household's own time ends."""

    shown: Stretch
    before: Stretch | None
    after: Stretch | None
    kinds: list[tuple[str, Stretch, bool]]
    """Day, week, month, year around the last of the days: the name, what to show, and whether that is shown."""


def _beside(residence: Residence, first: dt.date | None, last: dt.date | None) -> Beside | None:
    if first is None or last is None:
        return None
    shown, newest = Stretch(first, last), _last_day(residence)
    oldest = residence.since.astimezone(residence.building.zone).date()
    middle = max(min(last, newest), oldest)
    return Beside(
        shown,
        before=shown.before if shown.before.last >= oldest else None,
        after=shown.after if shown.after.first <= newest else None,
        kinds=[(str(NAMES[by]), around(by, middle), by == shown.kind) for by in KINDS],
    )


def _last_day(residence: Residence) -> dt.date:
    """Today, or the last day before the household moved out."""
    today, moved_out = residence.building.today(), residence.tenancy.moved_out
    return min(today, moved_out - dt.timedelta(days=1)) if moved_out else today


def _ordered(readings: QuerySet[Reading], sort: str) -> QuerySet[Reading]:
    field = COLUMNS[sort.removeprefix("-")][0]
    descending = sort.startswith("-")
    order = [f"-{field}" if descending else field]
    return readings.order_by(*order, *(["-taken_at"] if field != "taken_at" else []))


def _columns(request: HttpRequest, sort: str) -> list[Column]:
    columns = []
    for name, (_field, title) in COLUMNS.items():
        direction = {name: "ascending", f"-{name}": "descending"}.get(sort, "none")
        # Figures are sorted to see the largest, so the first click shows these.
        target = name if direction == "descending" or (name == "note" and direction == "none") else f"-{name}"
        columns.append(Column(str(title), _query(request, sort=target, page=None), direction))
    return columns


def _query(request: HttpRequest, **changes: str | None) -> str:
    """The query string of this page with some parameters changed; None takes one away."""
    changed = {name: value for name, value in changes.items() if value is not None}
    return urlencode(_parameters(request, *changes) | changed, safe="/")


def _parameters(request: HttpRequest, *without: str) -> dict[str, str]:
    return {name: request.GET[name] for name in request.GET if name not in {*without, *ZOOM}}


def _by(past: Period) -> By:
    """So that there are as many parts as one can look over."""
    days = past.seconds / DAY.total_seconds()
    return next((by for most, by in PARTS if days <= most), By.YEAR)
