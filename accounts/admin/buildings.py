"""Buildings."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.guiding_admin import GuidingAdmin
from accounts.models import Apartment, Building


class BuildingAdmin(GuidingAdmin):
    """A manager edits the building's name and time zone; only a superuser makes one or names managers.

    Metering registers it together with the building's energy.
    """

    building_path = "pk"
    list_display: tuple[str, ...] = ("name", "slug", "timezone", "currency", "apartment_count")
    list_filter = ("timezone", "currency")
    search_fields = ("name", "slug")
    ordering = ("slug",)
    fields = ("name", "slug", "timezone", "currency", "managers")
    filter_horizontal = ("managers",)
    help_texts: ClassVar[dict[str, Any]] = {
        "managers": _("They run this building here. Not in the list yet? Add their account with the plus sign.")
    }

    instead: ClassVar[Any] = _(
        "A building with apartments, meters or tariffs is not deleted: what its households know of it would be lost. "
        "Is it not yours to run any more? Enter who moved out and which meters were removed, and it stays to be read. "
        "Was it added by mistake? Then delete first what is listed here."
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Building]:
        buildings: models.QuerySet[Building] = super().get_queryset(request)
        return buildings.annotate(apartment_count=models.Count("apartments"))

    def next_steps(self, request: HttpRequest, obj: Building) -> Iterator[SafeString]:
        if not obj.apartments.exists():
            yield from self.adding(request, Apartment, gettext("Add its apartments"), building=obj.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if request.user.is_superuser else ("slug", "managers")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        # Later its meters and their logins at the broker go by it.
        return {} if obj else {"slug": ("name",)}

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        # To be entered, not passed over: days are summed by it, and once they are it stays.
        return {"timezone": ""} | super().get_changeform_initial_data(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @admin.display(description=_("apartments"), ordering="apartment_count")
    def apartment_count(self, building: Any) -> int:
        count: int = building.apartment_count
        return count
