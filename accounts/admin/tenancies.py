"""Who lives or lived where."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from accounts.guiding_admin import GuidingAdmin
from accounts.models import Invitation, Tenancy


class CurrentFilter(admin.SimpleListFilter):
    """Tenancies that last, or those that ended."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("current", pgettext("now", "Current")), ("other", gettext("Ended or not begun"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        current = Tenancy.objects.current()
        return queryset.filter(pk__in=current) if self.value() == "current" else queryset.exclude(pk__in=current)


@admin.register(Tenancy)
class TenancyAdmin(GuidingAdmin):
    """Who lives or lived where, from when until when."""

    building_path = "apartment__building"
    list_display = ("apartment", "moved_in", "moved_out", "people")
    list_filter = (CurrentFilter, ("apartment__building", admin.RelatedOnlyFieldListFilter))
    search_fields = ("apartment__number", "residents__email")
    list_select_related = ("apartment__building",)
    filter_horizontal = ("residents",)
    date_hierarchy = "moved_in"
    help_texts: ClassVar[dict[str, Any]] = {
        "apartment": _("Not in the list yet? Add it with the plus sign."),
        "moved_in": _("The first day on which the household lives there. It sees what was measured from then on."),
        "residents": _(
            "May be empty: whoever accepts an invitation to this tenancy is added by it. Here you add those who have "
            "an account already."
        ),
    }

    instead: ClassVar[Any] = _(
        "A tenancy in which somebody lived is not deleted: they could no longer read who looked at their readings. "
        "Enter the moving-out date instead: they see nothing of what is measured from that day on."
    )

    def next_steps(self, request: HttpRequest, obj: Tenancy) -> Iterator[SafeString]:
        open_ones = obj.invitations.filter(used_at__isnull=True, expires_at__gt=timezone.now())
        if not (obj.has_ended or obj.residents.exists() or open_ones.exists()):
            yield from self.adding(request, Invitation, gettext("Invite the household"), tenancy=obj.pk)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"moved_in": timezone.localdate()} | super().get_changeform_initial_data(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Tenancy]:
        return super().get_queryset(request).prefetch_related("residents")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        lived_in = Tenancy.history.model.residents.filter(history__id__in=[tenancy.pk for tenancy in objs])
        homes = set(lived_in.values_list("history__id", flat=True))
        if not homes:
            return super().get_deleted_objects(objs, request)
        # Who looked at their readings would be deleted with it.
        words = gettext("The household of {tenancy}")
        kept = [format_html(words, tenancy=self.link(tenancy)) for tenancy in objs if tenancy.pk in homes]
        return [], {}, set(), kept

    @admin.display(description=_("residents"))
    def people(self, tenancy: Tenancy) -> str:
        return ", ".join(str(user) for user in tenancy.residents.all())
