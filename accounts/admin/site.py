"""Django admin as a whole: its name, and what of it is ours instead."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.deleting_admin import delete_selected
from accounts.views.entry import logout

admin.site.site_header = "Riser"
admin.site.site_title = "Riser"
admin.site.index_title = _("Your buildings")
admin.site.empty_value_display = "–"
admin.site.disable_action("delete_selected")
admin.site.add_action(delete_selected, "delete_selected")
admin.site.unregister(Group)
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)


def admin_login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Nobody logs in here: Django's own form knows nothing of two-factor. Who is logged in goes on."""
    return redirect("admin:index")


admin.site.login = secure_admin_login(admin_login)  # type: ignore[method-assign]


def admin_password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Our own page limits how often one may guess the old password; Django's does not."""
    return redirect("account_change_password")


admin.site.password_change = admin_password_change  # type: ignore[method-assign, assignment]


def admin_logout(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Our own page makes the device forget the last reading; Django's knows nothing of it."""
    return logout(request)


admin.site.logout = require_POST(admin_logout)  # type: ignore[method-assign, assignment]
