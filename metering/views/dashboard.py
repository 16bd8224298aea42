"""The live dashboard."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import user_of
from accounts.models import JoinRequest, Tenancy
from metering.choice import find_choice, switch_of
from metering.highlights import highlights
from metering.house.comparison import compare
from metering.lamps import lamps_of
from metering.overview import overview
from metering.periods import DAY
from metering.power_data import power_data


@require_safe
@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    """The latest reading, and today's energy; a manager without an apartment goes to the building."""
    residence = find_choice(request)
    if residence is None:
        return redirect("admin:index") if request.user.is_staff else waiting(request)
    now, today = timezone.now(), residence.building.today()
    data, switch = power_data(residence, now), switch_of(residence, {})
    # Of a past that is over nobody expects a reading.
    is_over = residence.has_ended or bool(switch.meter and switch.meter.removed_at)
    context = {
        "residence": residence,
        "switch": switch,
        "data": data,
        "state": "over" if is_over else data.status.state,
        "lamps": [] if is_over else lamps_of(data.status),
        "json": data.as_json(),
        "today": today,
        "dates": urlencode({"since": today, "until": today}),
        "midnight": residence.building.midnight(today),
        "tomorrow": residence.building.midnight(today + DAY),
        "gap": settings.MAX_GAP_SECONDS,
        "highlights": highlights(residence, now),
        "energy": overview(residence, now),
        "comparison": None if residence.has_ended or residence.meter else compare(residence, today),
    }
    return render(request, "metering/dashboard.html", context)


def waiting(request: HttpRequest) -> HttpResponse:
    """What an account without an apartment sees: nothing, and why."""
    context = {
        "join_request": JoinRequest.objects.filter(user=user_of(request)).select_related("apartment__building").first(),
        "coming": Tenancy.objects.of(user_of(request)).first(),
    }
    return render(request, "metering/waiting.html", context)
