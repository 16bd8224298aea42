"""New readings of one's own apartment, as they come."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET

from accounts.rights import Visitor
from metering.choice import load_choice
from metering.live.line import texts

DIGITS = 18
"""Of the number of a reading, at most."""


@require_GET
async def live(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events: `reading`, like an answer of /api/power-data, `status`, the lamps, and `missed`.

    After a drop a browser says in Last-Event-ID where it stood; a page that begins again, in `after`.
    """
    user = await request.auser()
    if not user.is_authenticated:
        # A browser's stream cannot follow a redirect to the log-in page.
        return HttpResponse("Log in first.\n", status=401, content_type="text/plain")
    residence = await sync_to_async(load_choice)(request)
    if residence.has_ended:
        # Nothing new can come; this answer keeps a browser from asking again.
        return HttpResponse(status=204)
    visitor = Visitor(request.session.session_key or "", user.pk, residence.query)
    told = texts(getattr(request, "scope", {}), visitor, _last(request))
    return StreamingHttpResponse(told, content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _last(request: HttpRequest) -> int | None:
    said = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= DIGITS else None
