"""A building, and what its apartments used month by month."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import user_of
from accounts.admin.buildings import BuildingAdmin
from accounts.models import AccessRecord, Apartment, Building
from accounts.trace import record_access_to_days
from metering import figures
from metering.admin.index import picture_for
from metering.day_totals import has_totals
from metering.export.formats import CSV, as_csv
from metering.export.tables import USAGE_COLUMNS, Table, usage_rows
from metering.house.main_meter import balance
from metering.house.usage import usage_by_apartment
from metering.models import Tariff
from metering.periods import DAY, By, next_begin
from metering.usage import Figures, Usage, combine

EARLIEST_YEAR = 1971


class SpanForm(forms.Form):
    """A year, or one month of it."""

    year = forms.IntegerField(min_value=EARLIEST_YEAR, max_value=2999)
    month = forms.IntegerField(min_value=1, max_value=12, required=False)


@dataclass(frozen=True)
class Span:
    """The time a page shows: local days from the first up to but excluding the last one."""

    first: dt.date
    by: By

    @property
    def last(self) -> dt.date:
        return next_begin(self.first, self.by)

    @property
    def before(self) -> "Span":
        return Span((self.first - DAY).replace(day=1, **({} if self.by == By.MONTH else {"month": 1})), self.by)

    @property
    def after(self) -> "Span":
        return Span(self.last, self.by)

    @property
    def year(self) -> "Span":
        return Span(self.first.replace(month=1), By.YEAR)

    @property
    def query(self) -> str:
        """How a URL says it."""
        month = f"&month={self.first.month}" if self.by == By.MONTH else ""
        return f"year={self.first.year}{month}"

    def __str__(self) -> str:
        return date_format(self.first, _("F Y") if self.by == By.MONTH else "Y")


@dataclass(frozen=True)
class Row:
    """An apartment's usage: in all, and by month where a year is shown."""

    apartment: Apartment
    sum: Usage
    months: Sequence[Usage]


def _cells(total: Usage, months: Sequence[Usage], whole: Usage) -> SafeString:
    """A line's but for the first. Made here: a template takes five times as long, and there may be thousands."""
    found = [_energy_cell(month) for month in months]
    found.append(_energy_cell(total))
    if whole.exported:
        found.append(("number", "", figures.kilowatt_hours(total.exported)))
    if whole.costs:
        star = " *" if total.unpriced else ""
        found.append(("number", "", f"{figures.costs(total.costs)}{star}"))
    found.append((_css(total), "", figures.per_cent(total.known)))
    return SafeString("".join(_cell(*cell) for cell in found))


def _energy_of_all(usages: Sequence[Usage]) -> Usage:
    """Of a month, without what it costs."""
    whole = Usage(usages[0].period)
    for usage in usages:
        whole.add(Figures(usage.energy, usage.exported, usage.bridged, usage.covered))
        whole.expected += usage.expected
    return whole


def _css(usage: Usage) -> str:
    return "number" if usage.is_complete else "number unsure"


def _cell(css: str, title: str, text: str) -> str:
    hint = f' title="{escape(title)}"' if title else ""
    return f'<td class="{css}"{hint}>{escape(text)}</td>'


def _energy_cell(usage: Usage) -> tuple[str, str, str]:
    if usage.is_unknown or not usage.expected:
        return "number", "", "–" if usage.expected else ""
    title = "" if usage.is_complete else _("%(share)s measured") % {"share": figures.per_cent(usage.known)}
    return _css(usage), title, figures.kilowatt_hours(usage.energy)


@admin.register(Building)
class BuildingWithEnergyAdmin(BuildingAdmin):
    """A building with a page of its energy. Before a manager sees it, every household concerned can read that."""

    list_display = (*BuildingAdmin.list_display, "energy_link")
    change_form_template = "admin/building_form.html"

    def get_urls(self) -> list[URLPattern]:
        energy, picture = map(self.admin_site.admin_view, (self.energy_view, self.picture_view))
        return [
            path("<path:object_id>/energy/", energy, name="building_energy"),
            path("<path:object_id>/picture/", picture, name="building_picture"),
            *super().get_urls(),
        ]

    def next_steps(self, request: HttpRequest, obj: Building) -> Iterator[SafeString]:
        yield from super().next_steps(request, obj)
        if not obj.tariffs.filter(replaced_at=None).exists():
            yield from self.adding(request, Tariff, _("Add its tariff"), building=obj.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = super().get_readonly_fields(request, obj)
        # Days are summed by it: with another one they would be other days.
        summed = obj is not None and has_totals(obj)
        return (*fields, "timezone") if summed else fields

    @admin.display(description=gettext_lazy("energy"))
    def energy_link(self, building: Building) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:building_energy", args=[building.pk]), _("Energy"))

    def picture_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The picture of a building by itself, with which an open index brings its own up to date."""
        building = self._load(request, object_id)
        return TemplateResponse(request, "admin/picture.html", {"picture": picture_for(request, building)})

    def _load(self, request: HttpRequest, object_id: str) -> Building:
        building: Building | None = self.get_object(request, unquote(object_id))
        if building is None:
            raise Http404
        if not self.has_view_permission(request, building):
            raise PermissionDenied
        return building

    def energy_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        building = self._load(request, object_id)
        span = _span(request, building)
        rows = self._rows(request, building, span)
        if request.GET.get("format") == "csv":
            return _csv(building, span, rows)
        whole = combine([row.sum for row in rows])
        by_month = span.by == By.YEAR
        columns = zip(*(row.months for row in rows), strict=True) if by_month else ()
        months = [_energy_of_all(usages) for usages in columns]
        context = self.admin_site.each_context(request) | {
            "title": _("Energy of %(building)s") % {"building": building},
            "subtitle": None,
            "opts": self.opts,
            "building": building,
            "span": span,
            "after": span.after if span.after.first <= building.today() else None,
            "now": timezone.now(),
            "rows": [(row.apartment, _cells(row.sum, row.months if by_month else (), whole)) for row in rows],
            "apartments": reverse("admin:accounts_apartment_changelist"),
            "months": months,
            "whole": whole,
            "foot": _cells(whole, months, whole),
            "balance": balance(building, span.first, span.last, timezone.now()) if span.by == By.MONTH else None,
            "has_tariff": building.tariffs.filter(replaced_at=None).exists(),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/energy.html", context)

    def _rows(self, request: HttpRequest, building: Building, span: Span) -> list[Row]:
        now = timezone.now()
        apartments = list(building.apartments.order_by("number"))
        # Time to come says nothing about anybody yet.
        last = min(span.last, building.today() + DAY)
        record_access_to_days(user_of(request), building, span.first, last, AccessRecord.What.ENERGY)
        usages = usage_by_apartment(building, span.first, span.last, By.MONTH, now)
        return [Row(home, combine(usages[home.pk]), usages[home.pk]) for home in apartments]


def _span(request: HttpRequest, building: Building) -> Span:
    """What the URL asks for, else this month: there is nothing yet of time to come."""
    today = building.today()
    form = SpanForm(request.GET)
    if form.is_valid():
        month = form.cleaned_data["month"]
        first = dt.date(form.cleaned_data["year"], month or 1, 1)
        if first <= today:
            return Span(first, By.MONTH if month else By.YEAR)
    return Span(today.replace(day=1), By.MONTH)


def _csv(building: Building, span: Span, rows: Sequence[Row]) -> HttpResponse:
    lines = (
        (row.apartment.number, row.apartment.floor, *line)
        for row in rows
        for month in row.months
        for line in usage_rows(month, building.zone)
    )
    content = b"".join(as_csv(Table(("apartment", "floor", *USAGE_COLUMNS), lines)))
    name = f"riser-{building.slug}-{span.first:{'%Y-%m' if span.by == By.MONTH else '%Y'}}.csv"
    return HttpResponse(content, content_type=CSV, headers={"Content-Disposition": f'attachment; filename="{name}"'})
