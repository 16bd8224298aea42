"""Django admin that says what to do where it cannot delete, in words that fit together in every language."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import actions
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.careful_admin import CarefulAdmin


class DeletingAdmin(CarefulAdmin):
    """Leaves out what a database keeps for itself, and is no dead end."""

    instead: ClassVar[Any] = ""
    """What to do where a row is not deleted, since others need it."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        links = [model._meta for model in apps.get_models(include_auto_created=True) if model._meta.auto_created]
        plurals = {str(meta.verbose_name_plural) for meta in links}
        beginnings = tuple(f"{capfirst(meta.verbose_name)}: " for meta in links)
        named = {name: number for name, number in counts.items() if str(name) not in plurals}
        return list(_without(to_delete, beginnings)), named, lacking, protected

    def link(self, row: Any) -> SafeString:
        """The row's name, leading to its page."""
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        return format_html('<a href="{}">{}</a>', page, row)

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        return super().render_delete_form(request, context | _refusal(self, context))


def _without(rows: list[Any], beginnings: tuple[str, ...]) -> Iterator[Any]:
    """Django's nested list of what goes, without the rows that begin so."""
    for row in rows:
        if not isinstance(row, list):
            if not row.startswith(beginnings):
                yield row
        elif rest := list(_without(row, beginnings)):
            yield rest


def _refusal(model_admin: Any, context: dict[str, Any]) -> dict[str, Any]:
    if not (context["protected"] or context["perms_lacking"]):
        return {}
    return {"title": _("This cannot be deleted"), "instead": getattr(model_admin, "instead", "")}


@admin.action(permissions=["delete"], description=actions.delete_selected.short_description)  # type: ignore[attr-defined]
def delete_selected(model_admin: Any, request: HttpRequest, rows: models.QuerySet[Any]) -> TemplateResponse | None:
    """Django's own. It names one of several in the singular, which its German sentences do not bear."""
    page = actions.delete_selected(model_admin, request, rows)
    if page:
        context: dict[str, Any] = page.context_data or {}
        page.context_data = context | {"objects_name": model_admin.opts.verbose_name_plural}
        page.context_data |= _refusal(model_admin, context)
    return page
