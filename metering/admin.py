"""The manager's view of meters, readings, refused messages and listeners."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.functional import cached_property

from accounts.access import user_of
from accounts.admin import ApartmentAdmin, UserAdmin
from accounts.models import AccessRecord, Apartment, User
from accounts.scoped_admin import ReadOnlyAdmin
from accounts.trace import record_access
from accounts.traced_admin import TracedAdmin
from metering.erasure import delete_person
from metering.figures import figure
from metering.models import ListenerState, Meter, Reading, RejectedMessage
from metering.models.instant import EPOCH
from metering.storage import measure_storage


class MeterInline(admin.TabularInline):
    """An apartment's meters, past ones included."""

    model = Meter
    fields = ("serial", "decoder", "topic", "installed_at", "removed_at")
    extra = 0
    show_change_link = True

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

    def save_model(self, request: HttpRequest, obj: Apartment, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        Meter.objects.ensure_native([obj])


@admin.register(User)
class UserWithReadingsAdmin(UserAdmin):
    """An account; whoever deletes it, the same goes with it."""

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_person(obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[User]) -> None:
        for user in queryset:
            delete_person(user)


class InstalledFilter(admin.SimpleListFilter):
    """Meters on the wall, or those taken off."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("installed", "Installed"), ("removed", "Removed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        return queryset.filter(removed_at__isnull=self.value() == "installed")


@admin.register(Meter)
class MeterAdmin(TracedAdmin):
    """Meters. Replacing one: fill in when it was removed, then add the new one."""

    building_path = "building"
    list_display = ("place", "newest_reading", "publishes_to", "serial", "installed", "removed_at")
    list_filter = (("building", admin.RelatedOnlyFieldListFilter), InstalledFilter, "decoder")
    search_fields = ("serial", "topic", "apartment__number")
    list_select_related = ("building", "apartment__building")
    list_per_page = 50

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # A meter that changes its place would take one household's readings to another.
        return ("building", "apartment") if obj else ()

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Meter]:
        newest = Reading.objects.filter(meter=models.OuterRef("pk")).order_by("-taken_at").values("taken_at")[:1]
        meters: models.QuerySet[Meter] = super().get_queryset(request)
        return meters.annotate(newest=models.Subquery(newest))

    @admin.display(description="apartment", ordering="apartment__number")
    def place(self, meter: Meter) -> str:
        return str(meter.apartment or f"{meter.building.slug} (building)")

    @admin.display(description="topic")
    def publishes_to(self, meter: Meter) -> str:
        return meter.publishes_to

    @admin.display(description="installed at", ordering="installed_at")
    def installed(self, meter: Meter) -> Any:
        # Meters that came with their apartment have no date of their own.
        return meter.installed_at if meter.installed_at > EPOCH else "from the beginning"

    def say(self, field: models.Field, value: Any) -> str:
        return "from the beginning" if value == EPOCH else super().say(field, value)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        measured = [
            str(meter) for meter in objs if meter.readings.exists() or meter.loads.exists() or meter.day_totals.exists()
        ]
        if not measured:
            return super().get_deleted_objects(objs, request)
        # Django would list its readings and loads, all of them, with what they say.
        return [], {}, set(), [f"The readings of {name}" for name in measured]

    @admin.display(description="newest reading")
    def newest_reading(self, meter: Any) -> Any:
        return meter.newest


class CappedPaginator(Paginator):
    """Counts no further than people turn pages: counting millions of rows takes seconds."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class MeterFilter(admin.SimpleListFilter):
    """Readings of one meter. Lists the meters themselves, not the distinct meters of all readings."""

    title = "meter"
    parameter_name = "meter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        meters = admin.site.get_model_admin(Meter).get_queryset(request).select_related("apartment__building")
        return [(str(meter.pk), str(meter)) for meter in meters]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        known = {value for value, _ in self.lookup_choices}
        return queryset.filter(meter=self.value()) if self.value() in known else queryset


class SavedFilter(admin.SimpleListFilter):
    """Readings that a resident keeps."""

    title = "saved"
    parameter_name = "saved"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Saved")]

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

    @admin.display(description="voltage (V)")
    def volts(self, reading: Reading) -> str:
        return figure(reading.voltage)

    @admin.display(description="current (A)")
    def amperes(self, reading: Reading) -> str:
        return figure(reading.current)

    @admin.display(description="power (W)")
    def watts(self, reading: Reading) -> str:
        return figure(reading.power)

    @admin.display(description="register (kWh)")
    def kilowatt_hours(self, reading: Reading) -> str:
        return figure(reading.energy_total)


@admin.register(RejectedMessage)
class RejectedMessageAdmin(ReadOnlyAdmin):
    """Messages that were refused, and why."""

    building_path = "building"
    list_display = ("received_at", "reason", "topic", "beginning")
    list_filter = (("building", admin.RelatedOnlyFieldListFilter),)
    search_fields = ("topic", "reason")
    fields = ("received_at", "topic", "reason", "content")
    readonly_fields = ("content",)
    list_per_page = 50

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)
        self._record(request, list(page.result_list))
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> RejectedMessage | None:
        message: RejectedMessage | None = super().get_object(request, object_id, from_field)
        self._record(request, [message] if message else [])
        return message

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # The page that asks whether to delete them names them.
        self._record(request, list(objs))
        return super().get_deleted_objects(objs, request)

    def _record(self, request: HttpRequest, shown: list[RejectedMessage]) -> None:
        """A refused message may well hold what a household's meter measured."""
        homes = Meter.objects.homes_behind({message.topic for message in shown})
        seen = {
            (home.apartment_id, message.received_at)
            for message in shown
            for home in homes
            if home.topic == message.topic and (home.until is None or message.received_at < home.until)
        }
        record_access(user_of(request), seen, AccessRecord.What.REJECTED)

    @admin.display(description="message")
    def beginning(self, message: RejectedMessage) -> str:
        text = message.payload_text
        return text if len(text) <= 40 else f"{text[:40]}…"

    @admin.display(description="message")
    def content(self, message: RejectedMessage) -> str:
        return message.payload_text


def counted(name: str) -> Callable[[Any, ListenerState], str]:
    """A column for one of a listener's counters, with thousands apart."""

    @admin.display(description=name, ordering=name)
    def count(_: Any, listener: ListenerState) -> str:
        return f"{getattr(listener, name):,}"

    return count


@admin.register(ListenerState)
class ListenerStateAdmin(ReadOnlyAdmin):
    """Are the listeners well? Every manager may know."""

    received_count, stored_count = counted("received"), counted("stored")
    duplicates_count, ignored_count = counted("duplicates"), counted("ignored")
    rejected_count, batches_count = counted("rejected"), counted("batches")
    list_display = ("name", "up", "broker", "heartbeat_at", "stored_count", "rejected_count")
    fieldsets = [
        (None, {"fields": ("name", "up", "broker", "broker_changed_at", "heartbeat_at", "started_at", "stopped_at")}),
        ("Messages", {
            "fields": ("received_count", "stored_count", "duplicates_count", "ignored_count", "rejected_count",
                       "reasons"),
            "description": "Duplicates: sent again by the broker. Ignored: retained messages without a time.",
        }),
        ("Storing", {"fields": ("unstored", "batches_count", "batch_size", "waited", "time_in_database",
                                "database_size")}),
    ]  # fmt: skip
    readonly_fields = (
        "up", "broker", "received_count", "stored_count", "duplicates_count", "ignored_count", "rejected_count",
        "reasons", "unstored", "batches_count", "waited", "time_in_database", "database_size",
    )  # fmt: skip
    actions = None

    def in_scope(self, request: HttpRequest, rows: models.QuerySet[ListenerState]) -> models.QuerySet[ListenerState]:
        return rows

    @admin.display(description="oldest message not stored yet")
    def unstored(self, listener: ListenerState) -> str:
        seconds = listener.unstored_seconds
        return f"may be {seconds:,.0f} s old" if seconds else "none has waited for long"

    @admin.display(description="rejected, by reason")
    def reasons(self, listener: ListenerState) -> str:
        found = sorted(listener.rejected_by_reason.items(), key=lambda item: -item[1])
        return ", ".join(f"{reason.replace('_', ' ')}: {number:,}" for reason, number in found) or "none"

    @admin.display(description="oldest message of that batch had waited")
    def waited(self, listener: ListenerState) -> str:
        return f"{listener.batch_wait:.2f} s"

    @admin.display(description="time in the database per batch")
    def time_in_database(self, listener: ListenerState) -> str:
        return f"{1000 * listener.commit_seconds / max(1, listener.batches):.1f} ms on average"

    @admin.display(description="size of the database")
    def database_size(self, listener: ListenerState) -> str:
        storage = measure_storage()
        size = filesizeformat(storage.database)
        return size if storage.wal is None else f"{size}, and {filesizeformat(storage.wal)} of write-ahead log"

    @admin.display(boolean=True, description="broker connected")
    def broker(self, listener: ListenerState) -> bool:
        # Who is down does not know.
        return listener.is_up and listener.broker_connected

    @admin.display(boolean=True)
    def up(self, listener: ListenerState) -> bool:
        return listener.is_up

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)
