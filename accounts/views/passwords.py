"""Passwords: change one's own, or choose a new one through the mailbox."""

from typing import Any

from allauth.account import views as allauth_views
from django.http import HttpResponse

from accounts import devices
from accounts.confirmation import confirm
from accounts.forms import lay_out


class CrispyFormMixin:
    """Lays a form of allauth's out as our own ones are."""

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(*args, **kwargs)  # type: ignore[misc]
        lay_out(form)
        return form


class PasswordResetView(CrispyFormMixin, allauth_views.PasswordResetView):
    """Ask for a link by email."""

    template_name = "accounts/password_reset.html"


class PasswordResetDoneView(allauth_views.PasswordResetDoneView):
    """The link is on its way, if the account exists."""

    template_name = "accounts/password_reset_done.html"


class PasswordResetFromKeyView(CrispyFormMixin, allauth_views.PasswordResetFromKeyView):
    """The link of the email: choose a new password."""

    template_name = "accounts/password_reset_from_key.html"

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        # Who reads the mailbox is the owner of the address, and is let in here whoever else goes on guessing.
        confirm(self.reset_user)
        devices.remember(response, self.reset_user.email)
        return response


class PasswordResetFromKeyDoneView(allauth_views.PasswordResetFromKeyDoneView):
    """The new password holds."""

    template_name = "accounts/password_reset_from_key_done.html"


class PasswordChangeView(CrispyFormMixin, allauth_views.PasswordChangeView):
    """Choose another password while logged in."""

    template_name = "accounts/password_change.html"
