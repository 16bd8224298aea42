"""The first page of Django admin: a picture of each building at this moment."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.access import user_of
from accounts.models import Building
from metering.house import picture
from metering.house.picture import Picture

MOST_AT_ONCE = 3
"""Who manages more buildings than these chooses one of them."""

plain_index = admin.site.index


def picture_for(request: HttpRequest, building: Building) -> Picture:
    """The building as this visitor wants to see it: with what each apartment takes, which is recorded, or without."""
    if str(building.pk) in request.GET.getlist("loads"):
        return picture.draw_with_loads(building, user_of(request), timezone.now())
    return picture.draw(building, timezone.now())


def index(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
    """Django's list of what there is to manage, and above it the buildings this visitor manages."""
    managed = list(Building.objects.managed_by(user_of(request)).order_by("name", "pk"))
    chosen = _choose(managed, request.GET.get("building", ""))
    context = {
        "pictures": [picture_for(request, building) for building in chosen],
        "choice": managed if len(managed) > len(chosen) else [],
    }
    response: TemplateResponse = plain_index(request, context | (extra_context or {}))
    return response


def _choose(managed: Sequence[Building], wanted: str) -> Sequence[Building]:
    if len(managed) <= MOST_AT_ONCE:
        return managed
    return [building for building in managed if str(building.pk) == wanted] or managed[:1]


admin.site.index = index  # type: ignore[method-assign]
