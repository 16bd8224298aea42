"""The history page of Django admin: who changed what, and what was deleted."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from accounts.access import user_of
from accounts.history_words import Reader, Words, say_value, together
from accounts.models import Building
from accounts.scoped_admin import ScopedAdmin

RECORDS_PER_PAGE = 50


class TracedAdmin(ScopedAdmin):
    """For models with a history. It can be read, within the buildings the user manages, and nothing else.

    (The library's own admin class saves an older state when its form is posted, also with reverting switched
    off, and looks records up without regard to the building.)
    """

    change_list_template = "admin/traced_list.html"

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view(self.deleted_view), f"{self.opts.app_label}_{self.opts.model_name}"
        return [path("deleted/", view, name=f"{name}_deleted"), *super().get_urls()]

    def records_in_scope(self, request: HttpRequest, records: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """The records of rows which belonged, as the record has it, to buildings this user manages."""
        if request.user.is_superuser:
            return records
        building = self.opts.pk.attname if self.building_path == "pk" else self.building_path
        return records.filter(**{f"{building}__in": Building.objects.managed_by(user_of(request))})

    def records_of(self, request: HttpRequest, pk: Any) -> list[Any]:
        """What this user may know of one row's history, newest first."""
        records = self.model.history.filter(**{self.opts.pk.attname: pk})
        return list(self.records_in_scope(request, records))

    def may_name(self, request: HttpRequest, accounts: set[int]) -> set[int]:
        """Those of the accounts in a history whose address this user may read there: who worked on one's own house."""
        return accounts

    def say(self, field: models.Field, value: Any) -> str:
        """A value in words."""
        return say_value(field, value)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        try:
            records = self.records_of(request, self.opts.pk.to_python(unquote(object_id)))
        except ValidationError:
            records = []
        if row is None and not records:
            # Which says that there is none.
            return super().history_view(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        page = Paginator(records, RECORDS_PER_PAGE).get_page(request.GET.get(PAGE_VAR))
        shown = records[page.start_index() - 1 : page.end_index() + 1]  # and the one to compare the last with
        words = Words(shown, self._reader(request))
        befores = [*shown[1:], None]
        # Without records (a row made without its history) there is nothing to pair.
        entries = [words.entry(record, before) for record, before in zip(shown, befores, strict=False)]
        title = _("History of %(row)s") % {"row": row} if row else _("History of a row that was deleted")
        context = {"title": title, "object": row, "entries": together(entries[: len(page)]), "page": page}
        return self._page(request, context | (extra_context or {}))

    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        """What there was and is no more."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        records = self.records_in_scope(request, self.model.history.filter(history_type="-"))
        page = Paginator(records, RECORDS_PER_PAGE).get_page(request.GET.get(PAGE_VAR))
        shown = list(page)
        words = Words(shown, self._reader(request))
        entries = [words.entry(record) for record in shown]
        title = _("Deleted: %(rows)s") % {"rows": self.opts.verbose_name_plural}
        return self._page(request, {"title": title, "entries": entries, "page": page, "gone": True})

    def _page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        frame = self.admin_site.each_context(request) | {"opts": self.opts, "subtitle": None, "page_var": PAGE_VAR}
        return TemplateResponse(request, "admin/history.html", frame | context)

    def _reader(self, request: HttpRequest) -> Reader:
        return Reader(
            may_name=lambda accounts: self.may_name(request, accounts),
            unnamed=_("an administrator"),
            name_rows=lambda model, pks: self._name_rows(request, model, pks),
            say=self.say,
        )

    def _name_rows(self, request: HttpRequest, model: Any, pks: set[Any]) -> dict[Any, str]:
        related: Any = self.admin_site.get_model_admin(model)
        return {row.pk: str(row) for row in related.in_scope(request, model._default_manager.filter(pk__in=pks))}
