"""A household's figures to take away: readings, quarter hours, days and months, in a format to choose."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import Residence
from accounts.models import plausible_date
from metering.choice import load_choice
from metering.export import tables
from metering.export.formats import CSV, JSON, as_csv, as_json
from metering.export.households import XML, as_green_button
from metering.export.tables import Table
from metering.periods import DAY, By, Period
from metering.views.streaming import stream


class ExportForm(forms.Form):
    """What, in which format, of which days; without days all of the household's time."""

    what = forms.ChoiceField(choices=[(name, name) for name in ("readings", "quarter-hours", "days", "months")])
    format = forms.ChoiceField(choices=[(name, name) for name in ("csv", "json", "xml")])
    since = forms.DateField(required=False, validators=plausible_date)
    until = forms.DateField(required=False, validators=plausible_date)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("format") == "xml" and cleaned.get("what") not in {None, "quarter-hours"}:
            self.add_error("format", _("Green Button is for quarter hours."))
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] > cleaned["until"]:
            self.add_error("until", _("This day is before the first one."))
        return cleaned


@require_GET
@login_required
def export(request: HttpRequest) -> HttpResponseBase:
    """A file, sent while it is made."""
    residence = load_choice(request)
    form = ExportForm(request.GET)
    if not form.is_valid():
        faults = "; ".join(f"{name}: {' '.join(map(str, words))}" for name, words in form.errors.items())
        return render(request, "accounts/notice.html", {"title": _("No such download"), "text": faults}, status=400)
    asked, now = form.cleaned_data, timezone.now()
    period = _period(residence, asked["since"], asked["until"])
    name = f"riser-{residence.apartment.number}-{asked['what']}.{asked['format']}"
    if asked["format"] == "xml":
        return stream(as_green_button(residence, period, now), XML, name)
    table = _table(residence, period, asked["what"])
    return stream(as_json(table), JSON, name) if asked["format"] == "json" else stream(as_csv(table), CSV, name)


def _period(residence: Residence, since: Any, until: Any) -> Period:
    """From the first day to the end of the last one, up to now: nobody's time to come is anybody's."""
    building, now = residence.building, timezone.now()
    begin = max(building.midnight(since), residence.since) if since else residence.since
    end = building.midnight(until + DAY) if until else now
    return Period(begin, min(end, now, residence.until or now))


def _table(residence: Residence, period: Period, what: str) -> Table:
    if what == "readings":
        return tables.readings(residence, period)
    if what == "quarter-hours":
        return tables.quarter_hours(residence, period)
    return tables.sums(residence, period, By.DAY if what == "days" else By.MONTH)
