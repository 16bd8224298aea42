"""Looking back: saved readings and all readings, with statistics of what is shown."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Avg, Count, Max
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Residence, load_residence
from accounts.models import Building, plausible_date
from metering.curve import curve
from metering.models import Reading

PAGE_SIZE = 50
COLUMNS = {
    "time": ("taken_at", "Time"),
    "voltage": ("voltage", "Voltage"),
    "current": ("current", "Current"),
    "power": ("power", "Power"),
    "note": ("note", "Note"),
}
NEWEST_FIRST = "-time"


class HistoryForm(forms.Form):
    """What to show. The URL holds it, so that a page can be kept and sent."""

    show = forms.ChoiceField(choices=[("all", "All readings"), ("saved", "Saved readings")], required=False)
    since = forms.DateField(label="From", required=False, validators=plausible_date)
    until = forms.DateField(label="To", required=False, validators=plausible_date)
    sort = forms.ChoiceField(
        choices=[(sign + name, name) for name in COLUMNS for sign in ("", "-")],
        required=False,
        widget=forms.HiddenInput,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] > cleaned["until"]:
            self.add_error("until", "This day is before the first one.")
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
    residence = load_residence(request)
    form = HistoryForm(request.GET or None)
    choice = form.cleaned_data if form.is_valid() else {}
    saved_only = choice.get("show") == "saved"
    first, last = choice.get("since"), choice.get("until")
    if not saved_only and not (first or last):
        # All readings of all time are a great many: begin with today.
        first = last = _last_day(residence)
    readings = _between(Reading.objects.of(residence), residence.building, first, last)
    readings = readings.saved() if saved_only else readings
    sort = choice.get("sort") or NEWEST_FIRST
    context = {
        "form": form,
        "saved_only": saved_only,
        "first": first,
        "last": last,
        "since": form["since"].value() or first,
        "until": form["until"].value() or last,
        "statistics": readings.aggregate(average=Avg("power"), maximum=Max("power"), number=Count("pk")),
        "columns": _columns(request, sort),
        "page": Paginator(_ordered(readings, sort), PAGE_SIZE).get_page(request.GET.get("page")),
        "query": _query(request, page=None),
        "curve": None if saved_only else _curve(readings, residence, first, last),
    }
    return render(request, "metering/history.html", context)


def _last_day(residence: Residence) -> dt.date:
    """Today, or the last day before the household moved out."""
    today, moved_out = residence.building.today(), residence.tenancy.moved_out
    return min(today, moved_out - dt.timedelta(days=1)) if moved_out else today


def _between(readings: QuerySet[Reading], building: Building, first: dt.date | None, last: dt.date | None) -> Any:
    """Readings from the beginning of the first local day to the end of the last one."""
    if first:
        readings = readings.filter(taken_at__gte=building.midnight(first))
    if last:
        readings = readings.filter(taken_at__lt=building.midnight(last + dt.timedelta(days=1)))
    return readings


def _ordered(readings: QuerySet[Reading], sort: str) -> QuerySet[Reading]:
    field = COLUMNS[sort.removeprefix("-")][0]
    descending = sort.startswith("-")
    order = [f"-{field}" if descending else field]
    return readings.order_by(*order, *(["-taken_at"] if field != "taken_at" else []))


def _columns(request: HttpRequest, sort: str) -> list[Column]:
    columns = []
    for name, (_, title) in COLUMNS.items():
        direction = {name: "ascending", f"-{name}": "descending"}.get(sort, "none")
        # Figures are sorted to see the largest, so the first click shows these.
        target = name if direction == "descending" or (name == "note" and direction == "none") else f"-{name}"
        columns.append(Column(title, _query(request, sort=target, page=None), direction))
    return columns


def _query(request: HttpRequest, **changes: str | None) -> str:
    """The query string of this page with some parameters changed; None takes one away."""
    parameters = {name: request.GET[name] for name in request.GET if name not in changes}
    return urlencode(parameters | {name: value for name, value in changes.items() if value is not None})


def _curve(readings: QuerySet[Reading], residence: Residence, first: dt.date | None, last: dt.date | None) -> Any:
    building = residence.building
    begin = building.midnight(first) if first else residence.since
    end = building.midnight((last or building.today()) + dt.timedelta(days=1))
    return curve(readings, begin, end) if begin < end else None
