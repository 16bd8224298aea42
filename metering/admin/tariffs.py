"""Tariffs: one whose first day has come is replaced by a new version, and stays to be read."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import models, transaction
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from accounts.decimals_admin import DecimalsAdmin
from accounts.guiding_admin import GuidingAdmin
from accounts.models import Building
from metering.figures import plain, price
from metering.models import Rate, Tariff, share_week
from metering.periods import DAY
from metering.tariffs import Timeline, has_begun, to_be_applied, withdraw


class RateFormSet(BaseInlineFormSet):
    """The rates of one tariff, which share the week between them."""

    def clean(self) -> None:
        super().clean()
        if not any(self.errors):
            share_week([form.instance for form in self.kept_forms])

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = _("Delete this rate")

    @property
    def kept_forms(self) -> list[Any]:
        """Those whose rates the tariff has when this is saved."""
        return [f for f in self.forms if f not in self.deleted_forms and (f.instance.pk or f.has_changed())]


class RateInline(DecimalsAdmin, admin.TabularInline):
    """Prices, and when they hold."""

    model = Rate
    formset = RateFormSet
    fields = ("name", "price", "hours")
    extra = 1
    min_num = 1
    add_words = gettext_lazy("Add another rate")

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field:
            # In a table of fields Django writes a label above each column, which belongs to none of them.
            field.widget.attrs["aria-label"] = capfirst(field.label)
        if field and db_field.name == "hours":
            field.widget.attrs["placeholder"] = _("all other hours")
        return field

    def _may(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(getattr(request.user, "is_manager", False)) and (obj is None or obj.replaced_at is None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(getattr(request.user, "is_manager", False))

    has_add_permission = has_change_permission = has_delete_permission = _may


class CurrentFilter(admin.SimpleListFilter):
    """Tariffs that hold, unless one asks for replaced ones as well."""

    title = gettext_lazy("version")
    parameter_name = "version"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("replaced", _("Replaced or withdrawn")), ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": pgettext("now", "Current")}, *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.filter(replaced_at__isnull=self.value() != "replaced")


def _consequence(tariff: Tariff) -> str:
    """What withdrawing it means for the days that it holds on."""
    timeline = Timeline(tariff.building)
    before, end = timeline.on(tariff.valid_from - DAY), timeline.end_of(tariff)
    style = _("j F Y")
    words = {"begin": date_format(tariff.valid_from, style)}
    if end:
        words["end"] = date_format(end - DAY, style)
    days = (_("from %(begin)s to %(end)s") if end else _("from %(begin)s on")) % words
    if before is None:
        return _("No tariff began before it: of its days, %(days)s, residents see no costs any more.") % {"days": days}
    since = date_format(before.valid_from, style)
    return _("On its days, %(days)s, the tariff before it holds instead, that from %(since)s.") % {
        "days": days, "since": since
    }  # fmt: skip


@admin.register(Tariff)
class TariffAdmin(GuidingAdmin):
    """Prices of a building. A new price: add a tariff from that day on. A wrong price: change the tariff."""

    building_path = "building"
    list_display = ("valid_from", "building", "prices", "charge", "tax", "state")
    list_filter = (("building", admin.RelatedOnlyFieldListFilter), CurrentFilter)
    list_select_related = ("building",)
    inlines = (RateInline,)
    fields = ("building", "valid_from", "currency", "standing_charge", "tax_rate", "state")
    actions = None

    def next_steps(self, request: HttpRequest, obj: Tariff) -> Iterator[SafeString]:
        if obj.replaced_at or (obj.applied and has_begun(obj)):
            return
        page = reverse("admin:building_energy", args=[obj.building_id])
        energy = format_html('<a href="{}">{}</a>', page, _("Energy"))
        if has_begun(obj):
            words = _(
                "Once past days are summed by its hours, residents see costs at these prices, and you under {energy}"
            )
        else:
            words = _("From {day} on residents see costs at these prices, and you under {energy}")
        yield format_html(words, energy=energy, day=date_format(obj.valid_from, _("j F Y")))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Tariff]:
        tariffs: models.QuerySet[Tariff] = super().get_queryset(request)
        return tariffs.prefetch_related("rates")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("building", "state") if obj else ("state",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        buildings: Any = self.admin_site.get_model_admin(Tariff.building.field.related_model).get_queryset(request)
        known = list(buildings[:2])
        own = {"building": known[0].pk} if len(known) == 1 else {}
        currency = known[0].currency if known else ""
        return {"currency": currency} | own | super().get_changeform_initial_data(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.replaced_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.replaced_at is None)

    def save_model(self, request: HttpRequest, obj: Tariff, form: Any, change: bool) -> None:
        """Saved together with its rates: whether it becomes another version depends on these, too."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        (rates,) = formsets
        if change and not form.has_changed() and not rates.has_changed():
            super().save_related(request, form, formsets, change)
            return
        with transaction.atomic():
            # Two who save at once come one after the other.
            Building.objects.select_for_update().get(pk=form.instance.building_id)
            before = Tariff.objects.select_related("building").get(pk=form.instance.pk) if change else None
            if before and before.replaced_at:
                raise PermissionDenied(_("Somebody else has changed this tariff meanwhile."))
            if before and has_begun(before):
                self._replace(before, form.instance, rates)
                words = _("This tariff has begun already: the version before stays to be read.")
                messages.info(request, words)
            else:
                form.instance.save()
                super().save_related(request, form, formsets, change)
            self._refuse_what_two_made(form.instance)
            since = min(form.instance.valid_from, before.valid_from) if before else form.instance.valid_from
            to_be_applied(form.instance.building, since)

    @staticmethod
    def _refuse_what_two_made(tariff: Tariff) -> None:
        """Each form was right by itself; what both left together may not be."""
        try:
            share_week(list(Rate.objects.filter(tariff=tariff)))
        except ValidationError as problem:
            words = _("Somebody else changed this tariff meanwhile: %(problems)s")
            raise BadRequest(words % {"problems": " ".join(problem.messages)}) from problem

    @staticmethod
    def _replace(before: Tariff, tariff: Tariff, rates: RateFormSet) -> None:
        before.replaced_at = timezone.now()
        before.save(update_fields=["replaced_at"])
        for row, owner in ((tariff, None), *((form.instance, tariff) for form in rates.kept_forms)):
            row.pk = None
            row._state.adding = True
            if owner:
                row.tariff = owner
            else:
                row.created_at, row.applied = timezone.now(), False
            row.save()
        rates.new_objects, rates.changed_objects, rates.deleted_objects = [], [], []

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        tariff = context["object"]
        if has_begun(tariff):
            context |= {"title": _("Withdraw this tariff"), "consequence": _consequence(tariff)}
        return super().render_delete_form(request, context)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        begun = [tariff for tariff in queryset if has_begun(tariff)]
        for tariff in begun:
            self.log_change(request, tariff, _("Withdrawn."))
        others: Any = [tariff for tariff in queryset if tariff not in begun]
        return super().log_deletions(request, others) if others else None

    def delete_model(self, request: HttpRequest, obj: Tariff) -> None:
        if has_begun(obj):
            withdraw(obj)
        else:
            super().delete_model(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        if not Tariff.objects.filter(pk=obj_id).exists():
            return super().response_delete(request, obj_display, obj_id)
        tariffs = reverse("admin:metering_tariff_changelist")
        where = format_html('<a href="{}?version=replaced">{}</a>', tariffs, _("Replaced or withdrawn"))
        words = _("The tariff “{tariff}” holds no longer. It stays to be read under {where}.")
        self.message_user(request, format_html(words, tariff=obj_display, where=where), messages.SUCCESS)
        return HttpResponseRedirect(tariffs)

    @admin.display(description=gettext_lazy("prices for a kWh"))
    def prices(self, tariff: Tariff) -> str:
        return ", ".join(f"{rate.name} {price(rate.price, tariff.currency)}" for rate in tariff.rates.all())

    @admin.display(description=gettext_lazy("standing charge"), ordering="standing_charge")
    def charge(self, tariff: Tariff) -> str:
        return price(tariff.standing_charge, tariff.currency)

    @admin.display(description=gettext_lazy("tax"))
    def tax(self, tariff: Tariff) -> str:
        return "–" if tariff.tax_rate is None else f"{plain(tariff.tax_rate)} %"

    @admin.display(description=gettext_lazy("state"))
    def state(self, tariff: Tariff) -> str:
        if tariff.replaced_at:
            day = date_format(tariff.replaced_at, "SHORT_DATE_FORMAT")
            return _("replaced or withdrawn on %(day)s") % {"day": day}
        if tariff._state.adding:
            return _("new")
        if not has_begun(tariff):
            return _("holds from %(day)s") % {"day": date_format(tariff.valid_from, _("j F Y"))}
        return _("holds") if tariff.applied else _("holds; days that are past are being summed by its hours")
