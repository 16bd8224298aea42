"""Pages speak the building's local time."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.access import find_residence
from accounts.models import Building, User


def building_of(request: HttpRequest) -> Building | None:
    """The building whose time and name the pages of this request carry."""
    residence = find_residence(request)
    if residence:
        return residence.building
    if isinstance(request.user, User) and request.user.is_manager:
        return Building.objects.managed_by(request.user).first()
    return None


class BuildingTimeMiddleware:
    """Shows times in the building's zone, for residents and for managers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        building = building_of(request)
        with timezone.override(building.zone if building else None):
            return self.get_response(request)
