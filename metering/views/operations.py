"""For operators: is it alive, is it ready, how is it doing?"""

import logging

from django.conf import settings
from django.db import Error as DatabaseProblem
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from metering.metrics import exposition
from metering.status import status_for

log = logging.getLogger("riser.web")


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 where the database answers and is migrated, else 503 with the reason.

    The state of listener and broker is told but does not count: the pages work without them.
    """
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        status = None if pending else status_for(None, timezone.now())
    except DatabaseProblem as error:
        # Anybody may ask; addresses and names are for the log.
        log.warning("not ready: %s", error)
        return JsonResponse(
            {"ready": False, "database": "does not answer: see the log, or manage.py doctor"}, status=503
        )
    if status is None:
        return JsonResponse({"ready": False, "database": "not migrated: run manage.py migrate"}, status=503)
    return JsonResponse({"ready": True, "database": "ok", "listener": status.listener, "broker": status.broker})


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, for the addresses in METRICS_ALLOWED only."""
    if request.META.get("REMOTE_ADDR") not in settings.METRICS_ALLOWED:
        raise Http404
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
