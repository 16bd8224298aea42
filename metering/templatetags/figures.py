"""The template filter `figure`."""

from django import template

from metering import figures

register = template.Library()
register.filter("figure", figures.figure)
