"""Light, dark, or as the system has it: chosen with a form, kept in a cookie of the device."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

COOKIE = "theme"
THEMES = ("light", "dark")
ONE_YEAR = 365 * 24 * 3600


def chosen_theme(request: HttpRequest) -> dict[str, str]:
    """For every page's frame: `theme` is "light" or "dark", or "" where the system decides."""
    chosen = request.COOKIES.get(COOKIE, "")
    return {"theme": chosen if chosen in THEMES else ""}


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep the `theme` that was sent, and go back to the page it was sent from; anything else means the system's."""
    back = request.POST.get("next", "")
    own = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    # redirect() would take a word for the name of a page.
    response = HttpResponseRedirect(back if own else reverse("dashboard"))
    chosen = request.POST.get("theme")
    if chosen in THEMES:
        # theme.js reads it: pages that the server did not render just now follow it, too.
        response.set_cookie(COOKIE, chosen, max_age=ONE_YEAR, secure=settings.HTTPS, samesite="Lax")
    else:
        response.delete_cookie(COOKIE, samesite="Lax")
    return response
