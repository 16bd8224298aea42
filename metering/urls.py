"""Paths of what residents and operators read."""

from django.urls import path

from metering.api import api
from metering.views import dashboard, history, live, operations

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("history", history.history, name="history"),
    path("live", live.live, name="live"),
    path("api/", api.urls),
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
    path("metrics", operations.metrics, name="metrics"),
]
