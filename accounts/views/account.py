"""The page of one's own account."""

from allauth.account.utils import get_next_redirect_url
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import user_of
from accounts.deletion import how_long_kept
from accounts.forms import LanguageForm
from accounts.models import Tenancy
from accounts.sessions import end_other_sessions
from accounts.two_factor import two_factor_of


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Who I am here, where I live, and everything I can change about it."""
    return _page(request, LanguageForm(initial={"language": user_of(request).language}))


def _page(request: HttpRequest, language_form: LanguageForm, status: int = 200) -> HttpResponse:
    user = user_of(request)
    context = {
        "tenancies": Tenancy.objects.of(user),
        "two_factor": two_factor_of(user),
        "kept": how_long_kept(),
        "language_form": language_form,
    }
    return render(request, "accounts/account.html", context, status=status)


@require_POST
@login_required
def choose_language(request: HttpRequest) -> HttpResponse:
    """The language of this account's pages and mails; an empty one leaves it to the browser.

    Goes back to the page it was chosen on.
    """
    form = LanguageForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    user = user_of(request)
    user.language = form.cleaned_data["language"]
    user.save(update_fields=["language"])
    # redirect() would take a word for the name of a page.
    response = HttpResponseRedirect(get_next_redirect_url(request) or reverse("account"))
    if not user.language:
        # What was chosen before logging in would speak for the browser.
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    return response


@require_POST
@login_required
def log_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End all sessions of this account but the one that asks."""
    end_other_sessions(request)
    messages.success(request, _("All other devices are logged out. You are still logged in here."))
    return redirect("account")
