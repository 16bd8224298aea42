"""Are the listeners well?"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.scoped_admin import ReadOnlyAdmin
from metering.figures import count, number
from metering.models import ListenerState
from metering.storage import measure_storage

REASONS = {
    "contradiction": gettext_lazy("contradiction"),
    "empty": gettext_lazy("empty"),
    "implausible": gettext_lazy("implausible"),
    "missing": gettext_lazy("a field is missing"),
    "negative": gettext_lazy("below zero"),
    "no_meter": gettext_lazy("no meter installed then"),
    "not_a_number": gettext_lazy("not a number"),
    "not_json": gettext_lazy("not JSON"),
    "not_object": gettext_lazy("not an object"),
    "not_utf8": gettext_lazy("not UTF-8"),
    "out_of_range": gettext_lazy("out of range"),
    "timestamp": gettext_lazy("wrong timestamp"),
    "too_deep": gettext_lazy("nested too deeply"),
    "too_large": gettext_lazy("too large"),
    "unknown_apartment": gettext_lazy("unknown apartment"),
    "unknown_building": gettext_lazy("unknown building"),
    "unknown_decoder": gettext_lazy("unknown decoder"),
    "unknown_topic": gettext_lazy("unknown topic"),
    "wrong_type": gettext_lazy("wrong type"),
}
"""What decoders and the listener call them, in words."""


def counted(name: str, title: Any) -> Callable[[Any, ListenerState], str]:
    """A column for one of a listener's counters, with thousands apart."""

    @admin.display(description=title, ordering=name)
    def counter(_: Any, listener: ListenerState) -> str:
        return count(getattr(listener, name))

    return counter


@admin.register(ListenerState)
class ListenerStateAdmin(ReadOnlyAdmin):
    """Are the listeners well? Every manager may know."""

    received_count = counted("received", pgettext_lazy("messages", "received"))
    stored_count = counted("stored", pgettext_lazy("messages", "stored"))
    duplicates_count = counted("duplicates", pgettext_lazy("messages", "duplicates"))
    ignored_count = counted("ignored", pgettext_lazy("messages", "ignored"))
    rejected_count = counted("rejected", pgettext_lazy("messages", "rejected"))
    batches_count = counted("batches", gettext_lazy("batches"))
    list_display = ("name", "up", "broker", "heartbeat_at", "stored_count", "rejected_count")
    fieldsets = [
        (None, {"fields": ("name", "up", "broker", "broker_changed_at", "heartbeat_at", "started_at", "stopped_at")}),
        (gettext_lazy("Messages"), {
            "fields": ("received_count", "stored_count", "duplicates_count", "ignored_count", "rejected_count",
                       "reasons"),
            "description": gettext_lazy(
                "Duplicates: sent again by the broker. Ignored: retained messages without a time."
            ),
        }),
        (gettext_lazy("Storing"), {"fields": ("unstored", "batches_count", "batch_size", "waited", "time_in_database",
                                "database_size")}),
    ]  # fmt: skip
    readonly_fields = (
        "up", "broker", "received_count", "stored_count", "duplicates_count", "ignored_count", "rejected_count",
        "reasons", "unstored", "batches_count", "waited", "time_in_database", "database_size",
    )  # fmt: skip
    actions = None

    def in_scope(self, request: HttpRequest, rows: models.QuerySet[ListenerState]) -> models.QuerySet[ListenerState]:
        return rows

    @admin.display(description=gettext_lazy("oldest message not stored yet"))
    def unstored(self, listener: ListenerState) -> str:
        seconds = listener.unstored_seconds
        if not seconds:
            return _("none has waited for long")
        return _("may be %(seconds)s s old") % {"seconds": number(seconds, grouped=True)}

    @admin.display(description=gettext_lazy("rejected, by reason"))
    def reasons(self, listener: ListenerState) -> str:
        found = sorted(listener.rejected_by_reason.items(), key=lambda item: -item[1])
        return ", ".join(f"{REASONS.get(reason, reason)}: {count(times)}" for reason, times in found) or _("none")

    @admin.display(description=gettext_lazy("oldest message of that batch had waited"))
    def waited(self, listener: ListenerState) -> str:
        return f"{number(listener.batch_wait, 2)} s"

    @admin.display(description=gettext_lazy("time in the database per batch"))
    def time_in_database(self, listener: ListenerState) -> str:
        mean = 1000 * listener.commit_seconds / max(1, listener.batches)
        return _("%(milliseconds)s ms on average") % {"milliseconds": number(mean, 1)}

    @admin.display(description=gettext_lazy("size of the database"))
    def database_size(self, listener: ListenerState) -> str:
        storage = measure_storage()
        size = filesizeformat(storage.database)
        if storage.wal is None:
            return size
        return _("%(size)s, and %(log)s of write-ahead log") % {"size": size, "log": filesizeformat(storage.wal)}

    @admin.display(boolean=True, description=gettext_lazy("broker connected"))
    def broker(self, listener: ListenerState) -> bool:
        # Who is down does not know.
        return listener.is_up and listener.broker_connected

    @admin.display(boolean=True, description=pgettext_lazy("listener", "up"))
    def up(self, listener: ListenerState) -> bool:
        return listener.is_up

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)
