"""Invitations and their links."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import qr
from accounts.access import user_of
from accounts.models import Invitation
from accounts.traced_admin import TracedAdmin


@admin.register(Invitation)
class InvitationAdmin(TracedAdmin):
    """Make an invitation and see its link, once."""

    building_path = "tenancy__apartment__building"
    fields = ("tenancy", "expires_at")
    help_texts: ClassVar[dict[str, Any]] = {
        "tenancy": _("The household that is invited. Not in the list yet? Add its tenancy with the plus sign."),
        "expires_at": _("The link lets one person in, once, until then. It is shown when you save."),
    }
    list_display = ("tenancy", "created_at", "expires_at", "used_at", "used_by")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    search_fields = ("tenancy__apartment__number", "used_by__email")
    list_select_related = ("tenancy__apartment__building", "used_by")

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field and field.queryset is not None:
            # Nobody could use an invitation to a household that has left.
            field.queryset = field.queryset.exclude(moved_out__lte=timezone.localdate())
        return field

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # Whichever way one saves, the page with the link comes next.
        one_way = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context | one_way, *args, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        obj.created_by = user_of(request)
        # Kept on the object only: it is shown in the answer to this request and never again.
        obj.link = obj.issue()  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Invitation, post_url_continue: Any = None) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": gettext("Invitation link"),
            "opts": self.opts,
            "invitation": obj,
            "qr": qr.draw(obj.link),  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/accounts/invitation/link.html", context)
