"""Meters, by themselves and with their apartment."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.apartments import ApartmentAdmin
from accounts.guiding_admin import GuidingAdmin
from accounts.models import Apartment
from metering.models import Meter, Reading
from metering.models.instant import EPOCH


def connecting(meters: Iterable[Meter]) -> Iterator[SafeString]:
    """The step to a meter's first reading, which is done at the meter."""
    for meter in meters:
        if not meter.has_measured:
            topic = format_html("<code>{}</code>", meter.publishes_to)
            yield format_html(_("Have the meter publish to {topic}: nothing was heard of it yet"), topic=topic)


def since_when(meter: Meter) -> Any:
    """When it was installed, or that it always was: those that came with their apartment have no date of their own."""
    return meter.installed_at if meter.installed_at > EPOCH else _("from the beginning")


class MeterForm(forms.ModelForm):
    """A meter that was there from the beginning has no date to show, and needs none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.installed_at <= EPOCH:
            self.initial["installed_at"] = None
            field = self.fields["installed_at"]
            field.required = False
            empty = _("Empty: it was there from the beginning.")
            field.help_text = f"{empty} {field.help_text}"

    def clean_installed_at(self) -> dt.datetime:
        return self.cleaned_data["installed_at"] or EPOCH


class MeterInline(admin.TabularInline):
    """An apartment's meters, past ones included."""

    model = Meter
    fields = readonly_fields = ("serial", "decoder", "publishes_to", "installed", "removed_at")
    extra = 0
    show_change_link = True

    @admin.display(description=gettext_lazy("topic"))
    def publishes_to(self, meter: Meter) -> str:
        return meter.publishes_to

    @admin.display(description=gettext_lazy("installed at"))
    def installed(self, meter: Meter) -> Any:
        return since_when(meter)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(getattr(request.user, "is_manager", False))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Apartment)
class ApartmentWithMetersAdmin(ApartmentAdmin):
    """An apartment with its meters; a new one gets a native meter."""

    inlines = (MeterInline,)

    def get_inlines(self, request: HttpRequest, obj: Apartment | None) -> Any:
        # A new one has none that could be shown.
        return self.inlines if obj else ()

    def next_steps(self, request: HttpRequest, obj: Apartment) -> Iterator[SafeString]:
        installed = obj.meters.filter(removed_at__isnull=True).select_related("apartment__building", "building")
        yield from connecting(installed)
        if not installed:
            yield from self.adding(request, Meter, _("Add its meter"), building=obj.building_id, apartment=obj.pk)
        yield from super().next_steps(request, obj)

    def save_model(self, request: HttpRequest, obj: Apartment, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            Meter.objects.ensure_native([obj])


class InstalledFilter(admin.SimpleListFilter):
    """Meters on the wall, or those taken off."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("installed", _("Installed")), ("removed", _("Removed"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return queryset.filter(removed_at__isnull=self.value() == "installed")


@admin.register(Meter)
class MeterAdmin(GuidingAdmin):
    """Meters. Replacing one: fill in when it was removed, then add the new one."""

    building_path = "building"
    form = MeterForm
    help_texts: ClassVar[dict[str, Any]] = {"removed_at": gettext_lazy("Empty while it is installed.")}
    instead: ClassVar[Any] = gettext_lazy(
        "A meter that has measured is not deleted: its readings would be lost. Fill in “removed at” instead. It takes "
        "no readings from then on, and stays to be read."
    )
    list_display = ("place", "newest_reading", "publishes_to", "serial", "installed", "removed_at")
    list_filter = (("building", admin.RelatedOnlyFieldListFilter), InstalledFilter, "decoder")
    search_fields = ("serial", "topic", "apartment__number")
    list_select_related = ("building", "apartment__building")
    list_per_page = 50

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # A meter that changes its place would take one household's readings to another.
        return ("building", "apartment") if obj else ()

    def next_steps(self, request: HttpRequest, obj: Meter) -> Iterator[SafeString]:
        yield from connecting([] if obj.removed_at else [obj])

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Meter]:
        newest = Reading.objects.filter(meter=models.OuterRef("pk")).order_by("-taken_at").values("taken_at")[:1]
        meters: models.QuerySet[Meter] = super().get_queryset(request)
        return meters.annotate(newest=models.Subquery(newest))

    @admin.display(description=gettext_lazy("apartment"), ordering="apartment__number")
    def place(self, meter: Meter) -> str:
        return meter.place

    @admin.display(description=gettext_lazy("topic"))
    def publishes_to(self, meter: Meter) -> str:
        return meter.publishes_to

    @admin.display(description=gettext_lazy("installed at"), ordering="installed_at")
    def installed(self, meter: Meter) -> Any:
        return since_when(meter)

    def say(self, field: models.Field, value: Any) -> str:
        return _("from the beginning") if value == EPOCH else super().say(field, value)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        measured = [meter for meter in objs if meter.has_measured]
        if not measured:
            return super().get_deleted_objects(objs, request)
        # Django would list its readings and loads, all of them, with what they say.
        words = _("The readings of {meter}")
        return [], {}, set(), [format_html(words, meter=self.link(meter)) for meter in measured]

    @admin.display(description=gettext_lazy("newest reading"))
    def newest_reading(self, meter: Any) -> Any:
        return meter.newest
