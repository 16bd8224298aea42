"""Readings: millions of them, and every look is written down."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import user_of
from accounts.models import AccessRecord
from accounts.scoped_admin import ReadOnlyAdmin
from accounts.trace import record_access
from metering.figures import number
from metering.models import Meter, Reading

DECIMALS = 2


class CappedPaginator(Paginator):
    """Counts no further than people turn pages: counting millions of rows takes seconds."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.MOST)

    @property
    def has_more(self) -> bool:
        """Whether there are more than it counts."""
        return self._counted > self.MOST

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST + 1].count())


class MeterFilter(admin.SimpleListFilter):
    """Readings of one meter. Lists the meters themselves, not the distinct meters of all readings."""

    title = gettext_lazy("meter")
    parameter_name = "meter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        meters = admin.site.get_model_admin(Meter).get_queryset(request).select_related("apartment__building")
        return [(str(meter.pk), str(meter)) for meter in meters]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        known = {value for value, _ in self.lookup_choices}
        return queryset.filter(meter=self.value()) if self.value() in known else queryset


class SavedFilter(admin.SimpleListFilter):
    """Readings that a resident keeps."""

    title = gettext_lazy("saved")
    parameter_name = "saved"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("Saved"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.saved() if self.value() == "yes" else queryset


class ReadingList(ChangeList):
    """A list that cannot be sorted: what the address asks for would sort millions of rows."""

    def get_ordering(self, request: HttpRequest, queryset: models.QuerySet[Reading]) -> list[Any]:
        # The method of the model's admin, and never the address's ?o=
        return [*self.model_admin.get_ordering(request)]


@admin.register(Reading)
class ReadingAdmin(ReadOnlyAdmin):
    """Readings, newest first; quick on a table of millions. Whose they are gets to know who saw them."""

    building_path = "meter__building"
    list_display = ("taken_at", "meter", "volts", "amperes", "watts", "kilowatt_hours", "saved_at", "note")
    list_filter = (SavedFilter, MeterFilter)
    list_select_related = ("meter__apartment__building", "meter__building")
    list_per_page = 50
    fields = ("meter", "taken_at", "volts", "amperes", "watts", "factor", "kilowatt_hours", "received_at", "saved_at",
              "saved_by", "note")  # fmt: skip
    readonly_fields = ("volts", "amperes", "watts", "factor", "kilowatt_hours")
    help_texts: ClassVar[dict[str, Any]] = {
        "amperes": gettext_lazy("Below zero is export."),
        "watts": gettext_lazy("Below zero is export."),
        "kilowatt_hours": gettext_lazy("The meter's own register."),
        "received_at": gettext_lazy("Empty where the meter sends no time of its own: then both are the same moment."),
    }
    paginator = CappedPaginator
    show_full_result_count = False
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ReadingList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Along the index that suits what is asked for, so that a page costs a page."""
        if SavedFilter.parameter_name in request.GET:
            return ("-saved_at",)
        return ("-taken_at",) if MeterFilter.parameter_name in request.GET else ("-pk",)

    def in_scope(self, request: HttpRequest, rows: Any) -> models.QuerySet[Reading]:
        managed: models.QuerySet[Reading] = rows.managed_by(user_of(request))
        return managed

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Others could ask for a household's figures in a way that shows no row and so leaves no record.
        return lookup in {MeterFilter.parameter_name, SavedFilter.parameter_name}

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)
        # The page shows these very rows: they are fetched here, once.
        seen = {(reading.meter.apartment_id, reading.taken_at) for reading in page.result_list}
        chosen = request.GET.get(MeterFilter.parameter_name, "")
        if not seen and chosen.isdecimal():
            # That there are none says something, too.
            meters = admin.site.get_model_admin(Meter).get_queryset(request).filter(pk=chosen)
            seen = {(meter.apartment_id, timezone.now()) for meter in meters}
        record_access(user_of(request), seen, AccessRecord.What.LIST)
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Reading | None:
        reading: Reading | None = super().get_object(request, object_id, from_field)
        if reading:
            seen = {(reading.meter.apartment_id, reading.taken_at)}
            record_access(user_of(request), seen, AccessRecord.What.READING)
        return reading

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("voltage (V)"))
    def volts(self, reading: Reading) -> str:
        return _cell(reading.voltage)

    @admin.display(description=gettext_lazy("current (A)"))
    def amperes(self, reading: Reading) -> str:
        return _cell(reading.current)

    @admin.display(description=gettext_lazy("power (W)"))
    def watts(self, reading: Reading) -> str:
        return _cell(reading.power)

    @admin.display(description=gettext_lazy("power factor"))
    def factor(self, reading: Reading) -> str:
        return _cell(reading.power_factor)

    @admin.display(description=gettext_lazy("register (kWh)"))
    def kilowatt_hours(self, reading: Reading) -> str:
        return _cell(reading.energy_total)


def _cell(value: float | None) -> str:
    """With as many decimals as every other one of its column."""
    return "–" if value is None else number(value, DECIMALS)
