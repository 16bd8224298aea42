"""Django admin that answers crafted requests with "not understood" where Django's own would break."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.db import models
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.decimals_admin import DecimalsAdmin

FILTER_ENDINGS = ("", "__exact", "__id__exact", "__isnull", "__isempty")
DATE_ENDINGS = ("__year", "__month", "__day")
PART_OF_A_DATE = re.compile(r"[12]\d{3}|\d{1,2}")
HUGE_NUMBER = re.compile(r"-?\d{19,}")
PRIMARY_KEY = re.compile(r"\d{1,18}")


class CarefulMultipleChoiceField(ModelMultipleChoiceField):
    """Choices of which a key that cannot exist is none."""

    def clean(self, value: Any) -> Any:
        for key in value or ():
            if not PRIMARY_KEY.fullmatch(str(key)):
                raise ValidationError(self.error_messages["invalid_pk_value"], "invalid_pk_value", {"pk": key})
        return super().clean(value)


class CarefulAdmin(DecimalsAdmin, admin.ModelAdmin):
    """Takes from a URL only the look-ups that its list's filters make, and from a form only keys that can exist.

    Django allows any look-up into a model's own fields, regular expressions included, which can keep
    the server busy, ask a database for what it cannot compare, or find out a value letter by letter.
    """

    # Counts beside the filters would tell of rows that are not shown, and count millions.
    show_facets = admin.ShowFacets.NEVER

    help_texts: ClassVar[dict[str, Any]] = {}
    """What a form says below its fields, where that is more than the models say of themselves."""

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().get_form(request, *args, **{"help_texts": self.help_texts} | kwargs)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        if "\0" in value or HUGE_NUMBER.fullmatch(value):
            return False
        if self.date_hierarchy and lookup in {f"{self.date_hierarchy}{ending}" for ending in DATE_ENDINGS}:
            return bool(PART_OF_A_DATE.fullmatch(value))
        return lookup in self._own_lookups(request)

    def _own_lookups(self, request: HttpRequest) -> Iterator[str]:
        for item in self.get_list_filter(request):
            if isinstance(item, type):
                yield getattr(item, "parameter_name", "")
            else:
                path = str(item[0] if isinstance(item, (list, tuple)) else item)
                yield from (f"{path}{ending}" for ending in FILTER_ENDINGS)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, AdminSplitDateTime):
            # Django names the two by words beside them, which belong to neither.
            for part, name in zip(field.widget.widgets, (_("date"), _("time")), strict=True):
                part.attrs["aria-label"] = f"{capfirst(field.label)}: {name}"
            zone = _("By the time of %(zone)s.") % {"zone": timezone.get_current_timezone_name()}
            field.help_text = f"{field.help_text} {zone}".strip()
        return field

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField | None:
        careful = {"form_class": CarefulMultipleChoiceField} | kwargs
        return super().formfield_for_manytomany(db_field, request, **careful)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not all(PRIMARY_KEY.fullmatch(key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise SuspiciousOperation("A row was chosen that cannot exist.")
        return super().response_action(request, *args, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        # The list refuses such a term by itself, autocompletion does not; PostgreSQL cannot look for it.
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))
