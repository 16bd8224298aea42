"""What lets a phone keep Riser like an app: manifest, service worker, and the page shown without a connection."""

import json
import re
from hashlib import sha256

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

ICONS = (("icon-192", 192, "any"), ("icon-512", 512, "any"), ("icon-maskable-512", 512, "maskable"))
# Pages that somebody opens by hand. The service worker leaves everything else alone: streams, downloads, admin.
PAGES = ("dashboard", "history", "account", "account_login")


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """The web manifest: name, colours and icons for a phone's home screen."""
    icons = [
        {"src": static(f"img/{name}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for name, size, purpose in ICONS
    ]
    return JsonResponse(
        {
            "id": "/",
            "name": "Riser",
            "short_name": "Riser",
            "description": _("The electricity of your apartment, live"),
            "lang": get_language(),
            "start_url": reverse("dashboard"),
            "scope": "/",
            "display": "standalone",
            "theme_color": "#0f4c5c",
            "background_color": "#f4f6f8",
            "icons": icons,
        },
        content_type="application/manifest+json",
    )


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """The page for when Riser cannot be reached. It is kept on devices, so nothing in it depends on who asks."""
    return HttpResponse(_offline_page())


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script that shows the offline page. When that page or one of its files changes, so does the script."""
    page = _offline_page()
    context = {
        "version": sha256(page.encode()).hexdigest()[:12],
        "offline": json.dumps(reverse("offline")),
        "files": json.dumps(sorted(set(re.findall(r'(?:href|src)="([^"]+\.(?:css|js|svg))"', page)))),
        "pages": json.dumps([reverse(name) for name in PAGES]),
    }
    return HttpResponse(render_to_string("service_worker.js", context), content_type="text/javascript")


def _offline_page() -> str:
    return render_to_string("offline.html")
