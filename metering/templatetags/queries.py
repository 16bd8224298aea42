"""Query strings in links."""

from django import template

register = template.Library()


@register.filter
def after(query: str, sign: str) -> str:
    """The query behind `?` or `&`; nothing where there is none."""
    return f"{sign}{query}" if query else ""
