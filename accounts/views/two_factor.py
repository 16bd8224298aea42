"""Two-factor log-in: the code page after the password, setting it up, recovery codes, taking it off."""

from typing import Any

from allauth.account import forms as account_forms
from allauth.account import views as account_views
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as base_forms
from allauth.mfa.base import views as base_views
from allauth.mfa.recovery_codes import views as recovery_codes_views
from allauth.mfa.totp import forms as totp_forms
from allauth.mfa.totp import views as totp_views
from django import forms
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts.forms import PageForm
from accounts.models import User
from accounts.sessions import end_other_sessions
from accounts.two_factor import WHY, must_set_up

CODE_ATTRIBUTES = {"inputmode": "numeric", "autocomplete": "one-time-code", "spellcheck": "false"}
MOST_CHARACTERS = 32


class OneTimeCodeForm(PageForm):
    """A code that works once, also the one that set two-factor up."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = forms.CharField(
            label=_("Code"), max_length=MOST_CHARACTERS, widget=forms.TextInput(attrs=CODE_ATTRIBUTES)
        )

    def clean_code(self) -> str:
        try:
            code: str = super().clean_code()  # type: ignore[misc]
        except forms.ValidationError as error:
            if error.code in ("rate_limited", "too_many_login_attempts"):
                raise get_adapter().validation_error("too_many_codes") from error
            raise
        # allauth takes a code for as many periods as the tolerance makes, but remembers it for one only.
        lifetime = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
        if not cache.add(f"two-factor-used:{self.user.pk}:{normalize_user_code(code)}", 1, timeout=lifetime):
            raise get_adapter().validation_error("incorrect_code")
        return code


class CodeForm(OneTimeCodeForm, base_forms.AuthenticateForm):
    """The second step of a log-in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs["autofocus"] = True
        self.fields["code"].help_text = _("From your authenticator app, or one of your recovery codes.")


class SetUpForm(OneTimeCodeForm, totp_forms.ActivateTOTPForm):
    """The first code of a new authenticator shows that it works."""


class PasswordForm(PageForm, account_forms.ReauthenticateForm):
    """One's own password once more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        self.fields["password"].widget.attrs["autofocus"] = True

    def clean_password(self) -> str:
        # allauth looks for the address in a table of its own, which knows only those who registered.
        password: str = self.cleaned_data["password"]
        adapter = get_account_adapter()
        if adapter.authenticate(context.request, email=self.user.email, password=password) != self.user:
            raise adapter.validation_error("incorrect_password")
        return password


class WhyMixin:
    """Says on the page why a manager was sent there."""

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return found | {"why": WHY if must_set_up(self.request) else ""}


class CodeView(base_views.AuthenticateView):
    """The code, after the password."""

    form_class = CodeForm
    template_name = "accounts/two_factor/code.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and "code" not in request.POST:
            # allauth would take it for a security key's answer.
            return redirect("mfa_authenticate")
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response


class PasswordView(WhyMixin, account_views.ReauthenticateView):
    """The password once more, before two-factor is changed."""

    form_class = PasswordForm
    template_name = "accounts/two_factor/password.html"


class SetUpView(WhyMixin, totp_views.ActivateTOTPView):
    """Show the secret, take the first code."""

    form_class = SetUpForm
    template_name = "accounts/two_factor/set_up.html"

    def form_valid(self, form: SetUpForm) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        # They were let in by a password alone.
        end_other_sessions(self.request)
        return response


class TakeOffView(totp_views.DeactivateTOTPView):
    """Go back to the password alone."""

    template_name = "accounts/two_factor/take_off.html"


class RecoveryCodesView(recovery_codes_views.ViewRecoveryCodesView):
    """The codes that let their owner in without the phone."""

    template_name = "accounts/two_factor/recovery_codes.html"


class DownloadRecoveryCodesView(recovery_codes_views.DownloadRecoveryCodesView):
    """The same as a text file."""

    template_name = "accounts/two_factor/recovery_codes.txt"


class NewRecoveryCodesView(recovery_codes_views.GenerateRecoveryCodesView):
    """New codes in place of the old ones."""

    template_name = "accounts/two_factor/new_recovery_codes.html"
