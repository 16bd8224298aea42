"""All paths of the site."""

from django.contrib import admin
from django.urls import include, path

from config import installable, theme

urlpatterns = [
    path("", include("metering.urls")),
    path("", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("theme", theme.choose_theme, name="theme"),
    path("manifest.webmanifest", installable.manifest, name="manifest"),
    path("service-worker.js", installable.service_worker, name="service_worker"),
    path("offline", installable.offline, name="offline"),
]

handler400 = "config.problems.bad_request"
handler403 = "config.problems.permission_denied"
handler404 = "config.problems.page_not_found"
handler429 = "config.problems.too_many_requests"
