"""Messages that were refused, and why."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.access import user_of
from accounts.models import AccessRecord
from accounts.scoped_admin import ReadOnlyAdmin
from accounts.trace import record_access
from metering.models import Meter, RejectedMessage


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

    @admin.display(description=_("message"))
    def beginning(self, message: RejectedMessage) -> str:
        text = message.payload_text
        return text if len(text) <= 40 else f"{text[:40]}…"

    @admin.display(description=_("message"))
    def content(self, message: RejectedMessage) -> str:
        return message.payload_text
