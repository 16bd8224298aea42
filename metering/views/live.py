"""New readings of one's own apartment, as they come."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import fresh_residence, load_residence
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
    if residence.has_ended:
        # Nothing new can come; this answer keeps a browser from asking again.
        return HttpResponse(status=204)
    session_key = request.session.session_key or ""

    def event() -> dict[str, Any] | None:
        """The latest reading, seen with fresh eyes; None once this visitor may not see new ones any more."""
        now = fresh_residence(session_key)
        if now is None or now.tenancy.pk != residence.tenancy.pk or now.has_ended:
            return None
        return as_json(power_data(now, timezone.now()))

    return StreamingHttpResponse(
        stream(residence, event),
        content_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )
