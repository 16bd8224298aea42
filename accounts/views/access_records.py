"""Who looked at my data."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import user_of
from accounts.history_words import household_changes
from accounts.models import AccessRecord, Tenancy

PAGE_SIZE = 50


@require_safe
@login_required
def access_records(request: HttpRequest) -> HttpResponse:
    """Every look at the readings of my own tenancies, whoever of the household asks."""
    user = user_of(request)
    homes = list(Tenancy.objects.of(user))
    context = {
        "page": Paginator(AccessRecord.objects.visible_to(user), PAGE_SIZE).get_page(request.GET.get("page")),
        "several_homes": len(homes) > 1,
        # Who is let in as a resident sees the readings without a look being written down.
        "household": [(entry, home.apartment.building.timezone) for home in homes for entry in household_changes(home)],
    }
    return render(request, "accounts/access_records.html", context)
