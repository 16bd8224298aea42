"""Pages that say what went wrong, with the menu of whoever is logged in; without it where even that fails.

The page of a server error is Django's own view: it asks for nothing.
"""

import logging
from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from accounts.access import forget_choice

logger = logging.getLogger(__name__)


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The request was not understood."""
    return _page(request, 400, "400.html")


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page is not for this account."""
    return _page(request, 403, "403.html")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token is missing or too old."""
    return _page(request, 403, "403_csrf.html")


@requires_csrf_token
def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """There is no such page, or it is not theirs."""
    return _page(request, 404, "404.html")


class MissingPages:
    """For DEBUG: where a page is missing Django would list all paths. Whoever tries Riser out sees Riser's own page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        return page_not_found(request, Http404()) if response.status_code == 404 and is_page else response


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Somebody tries too often; allauth looks for this one."""
    return _page(request, 429, "429.html")


def _page(request: HttpRequest, status: int, template: str) -> HttpResponse:
    # Whoever asked for another apartment than their own finds back from the menu.
    forget_choice(request)
    try:
        # Choices in the menu lead on: coming back to a problem helps nobody, and the page says nothing of its address.
        page = render_to_string(template, {"back": "/"}, request)
    except Exception:
        logger.exception("The page of a problem (%s) goes without a menu.", status)
        page = render_to_string(template)
    return HttpResponse(page, status=status)
