"""Passwords: change one's own, or choose a new one through the mailbox."""

from typing import Any

from allauth.account import views as allauth_views
from allauth.core import ratelimit
from django.http import HttpResponse

from accounts import devices
from accounts.access import user_of
from accounts.confirmation import confirm
from accounts.forms import lay_out
from accounts.text import mailbox_key


class CrispyFormMixin:
    """Lays a form of allauth's out as our own ones are."""

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(*args, **kwargs)  # type: ignore[misc]
        lay_out(form)
        return form


class PasswordResetView(CrispyFormMixin, allauth_views.PasswordResetView):
    """Ask for a link by email."""

    template_name = "accounts/password_reset.html"

    def form_valid(self, form: Any) -> HttpResponse:
        mailbox = mailbox_key(form.cleaned_data["email"])
        refusal = ratelimit.consume_or_429(self.request, action="reset_password_mailbox", key=mailbox)
        response: HttpResponse = refusal or super().form_valid(form)
        return response


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
        devices.remember(response, self.reset_user)
        return response


class PasswordResetFromKeyDoneView(allauth_views.PasswordResetFromKeyDoneView):
    """The new password holds."""

    template_name = "accounts/password_reset_from_key_done.html"


class PasswordChangeView(CrispyFormMixin, allauth_views.PasswordChangeView):
    """Choose another password while logged in."""

    template_name = "accounts/password_change.html"

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        # The cookie from before ends with the old password.
        devices.remember(response, user_of(self.request))
        return response
