"""Template filters for figures."""

import datetime as dt
from collections import defaultdict
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from metering import figures
from metering.usage import Usage

register = template.Library()
for make in (
    figures.figure,
    figures.kilowatt_hours,
    figures.whole_watts,
    figures.costs,
    figures.energy_and_costs,
    figures.per_cent,
    figures.count,
    figures.duration,
    figures.more_energy,
    figures.more_money,
    figures.more_per_cent,
):
    register.filter(make.__name__, make)


@register.filter
def moment(instant: dt.datetime) -> SafeString:
    """When it was, in the time zone of the page. A page has many, which three date filters each would take long for."""
    local = timezone.localtime(instant)
    day, clock = date_format(local, "DATE_FORMAT"), f"{local:%H:%M:%S}"
    return format_html('<time datetime="{}"><span>{}</span> <span>{}</span></time>', local.isoformat(), day, clock)


@register.filter
def clock(instant: dt.datetime) -> str:
    """Such as 14:07, and 14:07 on 24 Nov 2026 where that is not today, in the time zone of the page."""
    local = timezone.localtime(instant)
    time = f"{local:%H:%M}"
    if local.date() == timezone.localdate():
        return time
    return _("{time} on {day}").format(time=time, day=date_format(local, "DATE_FORMAT"))


@register.filter
def standing(usage: Usage) -> str:
    """What of its costs are standing charges, with tax; empty where there are none."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for tariff, days in usage.standing_days.values():
        found[tariff.currency] += days * tariff.standing_charge * (100 + (tariff.tax_rate or 0)) / 100
    return " + ".join(figures.amount(value, currency) for currency, value in found.items())
