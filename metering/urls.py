"""Paths of what residents and operators read."""

from django.urls import path

from accounts.views.deletion import DeleteAccountView
from metering.api import api
from metering.erasure import delete_person
from metering.views import dashboard, export, history, live, my_data, operations

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("history", history.history, name="history"),
    path("export", export.export, name="export"),
    path("live", live.live, name="live"),
    path("account/data", my_data.download, name="my_data"),
    path("account/delete", DeleteAccountView.as_view(delete=delete_person), name="delete_account"),
    path("api/", api.urls),
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
    path("metrics", operations.metrics, name="metrics"),
]
