"""Invitations and their links."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from accounts import qr
from accounts.access import user_of
from accounts.models import Invitation
from accounts.traced_admin import TracedAdmin


@admin.register(Invitation)
class InvitationAdmin(TracedAdmin):
    """Make an invitation and see its link, once."""

    building_path = "tenancy__apartment__building"
    fields = ("tenancy", "expires_at")
    list_display = ("tenancy", "created_at", "expires_at", "used_at", "used_by")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    search_fields = ("tenancy__apartment__number", "used_by__email")
    list_select_related = ("tenancy__apartment__building", "used_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        obj.created_by = user_of(request)
        # Kept on the object only: it is shown in the answer to this request and never again.
        obj.link = obj.issue()  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Invitation, post_url_continue: Any = None) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": _("Invitation link"),
            "opts": self.opts,
            "invitation": obj,
            "qr": qr.draw(obj.link),  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/accounts/invitation/link.html", context)
