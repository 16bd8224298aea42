"""Template filters for figures."""

from django import template

from metering import figures

register = template.Library()
for make in (figures.figure, figures.kilowatt_hours, figures.costs, figures.per_cent):
    register.filter(make.__name__, make)
