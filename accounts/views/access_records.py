"""Who looked at my data."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import user_of
from accounts.household_changes import household_changes
from accounts.models import AccessRecord

PAGE_SIZE = 50


@require_safe
@login_required
def access_records(request: HttpRequest) -> HttpResponse:
    """Every look at the readings of my own tenancies, whoever of the household asks."""
    user = user_of(request)
    records, changes = AccessRecord.objects.visible_to(user), household_changes(user)
    looked_at = records.order_by().values_list("tenancy__apartment", flat=True).distinct()
    homes = {*looked_at, *(change.apartment.pk for change in changes)}
    context = {
        "page": Paginator(records, PAGE_SIZE).get_page(request.GET.get("page")),
        "changes": changes,
        "several_homes": len(homes) > 1,
    }
    return render(request, "accounts/access_records.html", context)
