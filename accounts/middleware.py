"""Pages speak the visitor's language and the building's local time."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

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


class LanguageMiddleware:
    """The language that a user chose goes before what Django found out: the cookie, else what the browser asks for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = request.user.language if isinstance(request.user, User) else ""
        with translation.override(chosen or translation.get_language()):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """What programs read is always in English."""
        if request.resolver_match and request.resolver_match.namespace == "api":
            translation.activate(settings.LANGUAGE_CODE)


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
