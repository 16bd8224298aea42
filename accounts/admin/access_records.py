"""Who looked at whose readings."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import AccessRecord
from accounts.scoped_admin import ReadOnlyAdmin


@admin.register(AccessRecord)
class AccessRecordAdmin(ReadOnlyAdmin):
    """Who looked at readings of whose home. Nobody takes it back, a superuser neither."""

    building_path = "tenancy__apartment__building"
    list_display = ("last_at", "viewer", "role", "what", "tenancy")
    list_filter = ("what", (building_path, admin.RelatedOnlyFieldListFilter))
    search_fields = ("viewer__email", "tenancy__apartment__number")
    list_select_related = ("viewer", "tenancy__apartment__building")
    fields = ("tenancy", "viewer", "role", "what", "first_at", "last_at")
    date_hierarchy = "last_at"
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
