"""Apartments, and who lives there now."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.db.models import Prefetch, Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.guiding_admin import GuidingAdmin
from accounts.models import Apartment, Tenancy


def households_now() -> Prefetch:
    """Apartments with `households`: the tenancies that last today, their residents at hand."""
    return Prefetch("tenancies", Tenancy.objects.current().prefetch_related("residents"), to_attr="households")


def describe_household(apartment: Any) -> str:
    """Who lives there since when, for a list."""
    return "; ".join(map(_describe, apartment.households)) or gettext("empty")


def _describe(tenancy: Tenancy) -> str:
    people = ", ".join(str(user) for user in tenancy.residents.all()) or gettext("nobody yet")
    return gettext("%(people)s since %(begin)s") % {"people": people, "begin": tenancy.dates["begin"]}


class ApartmentAdmin(GuidingAdmin):
    """Apartments and who lives there; metering registers it together with the apartment's meters."""

    building_path = "building"
    list_display = ("number", "floor", "building", "household", "area")
    list_filter = (("building", admin.RelatedOnlyFieldListFilter), "floor")
    search_fields = ("number", "floor", "building__name")
    list_select_related = ("building",)
    list_per_page = 100
    help_texts: ClassVar[dict[str, Any]] = {
        "number": _("Such as 101 or 2-left. It is a part of its meter's topic: letters A to Z, digits, dot, _ and -."),
    }

    instead: ClassVar[Any] = _(
        "An apartment with meters or tenancies is not deleted: what its households know of it would be lost. Enter the "
        "moving-out date in its tenancy and “removed at” in its meter instead. Was it added by mistake? Then delete "
        "first what is listed here: a meter that has measured nothing can be deleted."
    )

    def next_steps(self, request: HttpRequest, obj: Apartment) -> Iterator[SafeString]:
        if not obj.tenancies.filter(Q(moved_out__isnull=True) | Q(moved_out__gt=obj.building.today())).exists():
            words = gettext("Add a tenancy for the household that lives there")
            yield from self.adding(request, Tenancy, words, apartment=obj.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Its meters, readings and tenancies belong to this building.
        return ("building",) if obj else ()

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Apartment]:
        return super().get_queryset(request).prefetch_related(households_now())

    @admin.display(description=_("household"))
    def household(self, apartment: Apartment) -> str:
        return describe_household(apartment)
