"""Getting in: log in, register, accept an invitation, log out."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account import views as allauth_views
from allauth.account.models import EmailConfirmationHMAC
from allauth.account.utils import complete_signup, perform_login
from allauth.decorators import rate_limit
from django.contrib import messages
from django.contrib.auth import logout as end_session
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.generic.edit import FormView

from accounts.access import SESSION_KEY, user_of
from accounts.confirmation import confirm, write_to_registrant
from accounts.forms import ConfirmForm, RegisterForm
from accounts.models import Invitation, User
from accounts.models.invitation import InvitationGone

INVITATION_GONE = _("This invitation was used already or has expired. Ask your building manager for a new one.")
LINK_GONE = _(
    "This link was used already or is too old. Try to log in. If that fails, register again with the same address: "
    "then a new link comes by mail."
)


class LoginView(allauth_views.LoginView):
    """Email, password and apartment number."""

    template_name = "accounts/login.html"


class RegisterView(allauth_views.SignupView):
    """A new account; with `?invitation=TOKEN` for the apartment of the invitation."""

    template_name = "accounts/register.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.token = request.POST.get("invitation") or request.GET.get("invitation", "")
        self.invitation = Invitation.objects.usable(self.token) if self.token else None
        if self.token and self.invitation is None:
            return _invitation_gone(request, self.token)
        if self.invitation and request.user.is_authenticated:
            return render(
                request, "accounts/accept_invitation.html", {"invitation": self.invitation, "token": self.token}
            )
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def form_valid(self, form: RegisterForm) -> HttpResponse:
        try:
            user = form.save(self.request)
        except InvitationGone:
            return _invitation_gone(self.request, self.token)
        if user and self.invitation:
            response: HttpResponse = complete_signup(self.request, user, "none", self.get_success_url())
            return response
        write_to_registrant(self.request, form.cleaned_data["email"], invited=self.invitation is not None)
        return redirect("register_sent")

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs()
        return kwargs | {"invitation": self.invitation}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"invitation": self.invitation, "token": self.token}


def _invitation_gone(request: HttpRequest, token: str) -> HttpResponse:
    """Where it leads whoever joined by it; all others get the same answer as of one that never was."""
    user = request.user
    if isinstance(user, User) and Invitation.objects.were_used_by(user, token):
        return redirect("dashboard")
    context = {"title": _("Invitation"), "text": INVITATION_GONE, "may_log_in": not user.is_authenticated}
    return render(request, "accounts/notice.html", context, status=410)


@require_safe
def register_sent(request: HttpRequest) -> HttpResponse:
    """The same for a new address and for one that has an account; the mail tells them apart."""
    return render(request, "accounts/register_sent.html")


@method_decorator(rate_limit(action="reset_password_from_key"), name="dispatch")
class ConfirmView(FormView):
    """The link of the mail and the password chosen when registering: the address is theirs, and they are in."""

    template_name = "accounts/confirm.html"
    form_class = ConfirmForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        confirmation = EmailConfirmationHMAC.from_key(kwargs["key"])
        if confirmation is None:
            return render(request, "accounts/notice.html", {"title": _("Confirm"), "text": LINK_GONE}, status=410)
        self.user: User = confirmation.email_address.user
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"user": self.user}

    def form_valid(self, form: ConfirmForm) -> HttpResponse:
        confirm(self.user)
        response: HttpResponse = perform_login(self.request, self.user, "none")
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"email": self.user.email}


@require_http_methods(["GET", "POST"])
@login_required
def accept_invitation(request: HttpRequest) -> HttpResponse:
    """Add the invitation's apartment to the account that is logged in."""
    if request.method == "GET":
        # The way back from a log-in; the invitation itself is in the link.
        return redirect("dashboard")
    token = request.POST.get("invitation", "")
    invitation = Invitation.objects.usable(token)
    if invitation is None or not invitation.accept(user_of(request)):
        return _invitation_gone(request, token)
    request.session[SESSION_KEY] = invitation.tenancy.apartment_id
    number = invitation.tenancy.apartment.number
    messages.success(request, _("Apartment %(number)s now belongs to your account.") % {"number": number})
    return redirect("dashboard")


@require_http_methods(["GET", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """End the session. A GET counts only where it comes from one of our own pages."""
    if request.method == "POST" or not request.user.is_authenticated or _comes_from_here(request):
        end_session(request)
        return redirect("account_login")
    return render(request, "accounts/logout.html")


def _comes_from_here(request: HttpRequest) -> bool:
    """Whether a link on our own page was followed: a foreign page must not log anybody out."""
    site = request.headers.get("Sec-Fetch-Site")
    if site:
        return site == "same-origin"
    referer = request.headers.get("Referer", "")
    own_host = {request.get_host()}
    return bool(urlsplit(referer).netloc) and url_has_allowed_host_and_scheme(
        referer, own_host, require_https=request.is_secure()
    )


class AccountInactiveView(allauth_views.AccountInactiveView):
    """The account was switched off by the manager."""

    template_name = "accounts/inactive.html"
