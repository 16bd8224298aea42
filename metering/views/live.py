"""New readings of one's own apartment, as they come."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import Residence, load_residence, user_of
from accounts.models import Tenancy
from metering.api import as_json
from metering.live import stream
from metering.power_data import power_data


@require_GET
async def live(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events called `reading`, each like an answer of /api/power-data."""
    if not (await request.auser()).is_authenticated:
        # A browser's stream cannot follow a redirect to the log-in page.
        return HttpResponse("Log in first.\n", status=401, content_type="text/plain")
    residence = await sync_to_async(load_residence)(request)
    user, session = await sync_to_async(user_of)(request), request.session

    def event(residence: Residence) -> dict[str, Any] | None:
        """The latest reading; None once the user logged out or was taken off the tenancy."""
        allowed = session.exists(session.session_key or "") and Tenancy.objects.of(user).filter(pk=residence.tenancy.pk)
        return as_json(power_data(residence, timezone.now())) if allowed else None

    return StreamingHttpResponse(
        stream(residence, event),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
