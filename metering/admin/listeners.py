"""Are the listeners well?"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from accounts.scoped_admin import ReadOnlyAdmin
from metering.models import ListenerState
from metering.storage import measure_storage


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
