"""The page of one's own account."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import user_of
from accounts.models import Tenancy


@require_safe
@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Who I am here, where I live, and everything I can change about it."""
    return render(request, "accounts/account.html", {"tenancies": Tenancy.objects.of(user_of(request))})
