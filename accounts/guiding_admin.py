"""Django admin that says what a row still lacks, and leads there."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.traced_admin import TracedAdmin


class GuidingAdmin(TracedAdmin):
    """Names the next steps on a row's own page, and once more where Save leads away from it."""

    def next_steps(self, request: HttpRequest, obj: Any) -> Iterator[SafeString]:
        """What is missing before this row is of use, in the order in which it is done."""
        yield from ()

    def adding(self, request: HttpRequest, model: type[models.Model], words: str, **given: Any) -> Iterator[SafeString]:
        """The step to a form that knows already what is given, for those who may fill it in."""
        related = self.admin_site.get_model_admin(model)
        if related.has_add_permission(request):
            form = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
            yield format_html('<a href="{}?{}">{}</a>', form, urlencode(given), words)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        # Beside errors it says what was entered, not what is true.
        steps = list(self.next_steps(request, row)) if row and not context["errors"] else []
        return super().render_change_form(request, context | {"next_steps": steps}, *args, **kwargs)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        self._tell(request, obj)
        return super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        self._tell(request, obj)
        return super().response_post_save_change(request, obj)

    def _tell(self, request: HttpRequest, obj: Any) -> None:
        steps = format_html_join(" · ", "{}", ([step] for step in self.next_steps(request, obj)))
        if steps:
            self.message_user(request, format_html(_("Next: {steps}"), steps=steps), messages.INFO, extra_tags="next")
