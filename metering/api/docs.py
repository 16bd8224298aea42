"""The page that describes the API."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger

from accounts.access import user_of


class ApiDocs(Swagger):
    """Swagger's page from our own server: ninja's asks another one where it is no installed app.

    It is none, since every command would then load it, and pydantic, before it does anything.
    """

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """The page, which brings a CSRF token for requests that are tried out. Its menu is in the reader's language."""
        settings = self.settings | {"url": self.get_openapi_url(api, kwargs)}
        with translation.override(user_of(request).language or request.LANGUAGE_CODE):
            return render(request, "metering/api_docs.html", {"settings": settings})
