"""The building manager's and the superuser's view of buildings, apartments and people."""

from collections.abc import Callable, Iterable
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from accounts import qr
from accounts.access import user_of
from accounts.confirmation import confirm, unproven_addresses
from accounts.deletion import is_last_superuser, leaves_no_superuser
from accounts.models import AccessRecord, Apartment, Building, Invitation, JoinRequest, Tenancy, User
from accounts.scoped_admin import ReadOnlyAdmin
from accounts.trace import held_since, when_they_came
from accounts.traced_admin import TracedAdmin
from accounts.two_factor import take_off

admin.site.site_header = "Riser"
admin.site.site_title = "Riser"
admin.site.index_title = "Your buildings"
admin.site.empty_value_display = "–"
admin.site.unregister(Group)
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)


def admin_login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Nobody logs in here: Django's own form knows nothing of two-factor. Who is logged in goes on."""
    return redirect("admin:index")


admin.site.login = secure_admin_login(admin_login)  # type: ignore[method-assign]


def admin_password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Our own page limits how often one may guess the old password; Django's does not."""
    return redirect("account_change_password")


admin.site.password_change = admin_password_change  # type: ignore[method-assign, assignment]


class UserCreationForm(AdminUserCreationForm):
    """A new account by email and password."""

    class Meta:
        model = User
        fields = ("email",)


class UserForm(UserChangeForm):
    """An account as a superuser edits it."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        stays = cleaned.get("is_superuser") and cleaned.get("is_active")
        if not stays and is_last_superuser(User.objects.get(pk=self.instance.pk)):
            raise ValidationError("This is the last administrator: nobody could name managers any more.")
        return cleaned


class UserAdmin(TracedAdmin, DjangoUserAdmin):
    """Managers see the people of their buildings; only a superuser edits accounts.

    Metering registers it together with deleting what a person saved.
    """

    form = UserForm
    add_form = UserCreationForm
    list_display = ("email", "apartment", "is_active", "is_superuser", "two_factor", "last_login")
    list_filter = ("is_active",)
    search_fields = ("email",)
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Rights", {"fields": ("is_active", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)
    actions = ("take_off_two_factor",)
    manager_fields = ("email", "is_active", "last_login", "date_joined")

    def in_scope(self, request: HttpRequest, rows: models.QuerySet[User]) -> models.QuerySet[User]:
        if request.user.is_superuser:
            return rows
        own = Building.objects.managed_by(user_of(request))
        here = Q(tenancies__apartment__building__in=own) | Q(join_requests__apartment__building__in=own)
        return rows.filter(pk__in=User.objects.filter(here | Q(pk=request.user.pk)).values("pk"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        own = Building.objects.managed_by(user_of(request))
        current = Tenancy.objects.current().filter(apartment__building__in=own).select_related("apartment__building")
        two_factor = Exists(Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP))
        users: models.QuerySet[User] = super().get_queryset(request).annotate(two_factor=two_factor)
        return users.prefetch_related(Prefetch("tenancies", current, to_attr="homes"))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            super().get_fieldsets(request, obj)
            if request.user.is_superuser
            else [(None, {"fields": self.manager_fields})]
        )

    def records_in_scope(self, request: HttpRequest, records: models.QuerySet[Any]) -> models.QuerySet[Any]:
        if request.user.is_superuser:
            return records
        return records.filter(id__in=self.in_scope(request, User.objects.all()).values("pk"))

    def records_of(self, request: HttpRequest, pk: Any) -> list[Any]:
        records = super().records_of(request, pk)
        if request.user.is_superuser or pk == request.user.pk or not records:
            return records
        # An address that was given up before is nothing that this manager was ever told.
        return held_since(when_they_came(pk, Building.objects.managed_by(user_of(request))), records)

    def may_name(self, request: HttpRequest, accounts: set[int]) -> set[int]:
        known = self.in_scope(request, User.objects.filter(pk__in=accounts))
        return accounts if request.user.is_superuser else set(known.values_list("pk", flat=True))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # allauth keeps addresses of its own: an old one must not log in nor reset the password.
        # One that nobody confirmed stays unconfirmed when it is corrected.
        unproven_addresses().filter(user=obj).update(email=obj.email)
        EmailAddress.objects.filter(user=obj).exclude(email__iexact=obj.email).delete()
        if "is_active" in form.changed_data:
            # Sessions from before must not come back with the account.
            obj.end_sessions()

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        users = User.objects.filter(pk=id) if id.isdecimal() else User.objects.none()
        before = users.values_list("password", flat=True).first()
        response: HttpResponse = super().user_change_password(request, id, form_url)
        user = users.first()
        if user and user.password != before:
            self._tell(request, user, "account/email/password_changed")
        return response

    @staticmethod
    def _tell(request: HttpRequest, user: User, template: str) -> None:
        """The owner learns from the mailbox what an administrator did, not from which address."""
        who = {"ip": "Riser's administration", "user_agent": str(request.user)}
        get_adapter(request).send_notification_mail(template, user, who)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        if leaves_no_superuser([user.pk for user in objs]):
            protected = [*protected, "The last administrator: nobody could name managers any more"]
        return to_delete, counts, forbidden, protected

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @admin.display(description="lives in")
    def apartment(self, user: User) -> str:
        return ", ".join(str(tenancy.apartment) for tenancy in user.homes)  # type: ignore[attr-defined]

    @admin.display(description="two-factor", boolean=True, ordering="two_factor")
    def two_factor(self, user: Any) -> bool:
        on: bool = user.two_factor
        return on

    @admin.action(description="Take two-factor off: phone and recovery codes are lost", permissions=["change"])
    def take_off_two_factor(self, request: HttpRequest, users: models.QuerySet[User]) -> None:
        for user in users:
            if take_off(user):
                self._tell(request, user, "mfa/email/totp_deactivated")
                self.message_user(request, f"Two-factor is off for {user}.", messages.SUCCESS)
            else:
                self.message_user(request, f"There was none on {user}.", messages.WARNING)


class BuildingAdmin(TracedAdmin):
    """A manager edits the building's name and time zone; only a superuser makes one or names managers.

    Metering registers it together with the building's energy.
    """

    building_path = "pk"
    list_display: tuple[str, ...] = ("name", "slug", "timezone", "currency", "apartment_count")
    list_filter = ("timezone", "currency")
    search_fields = ("name", "slug")
    ordering = ("slug",)
    filter_horizontal = ("managers",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Building]:
        buildings: models.QuerySet[Building] = super().get_queryset(request)
        return buildings.annotate(apartment_count=models.Count("apartments"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if request.user.is_superuser else ("slug", "managers")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @admin.display(description="apartments", ordering="apartment_count")
    def apartment_count(self, building: Any) -> int:
        count: int = building.apartment_count
        return count


def households_now() -> Prefetch:
    """Apartments with `households`: the tenancies that last today, their residents at hand."""
    return Prefetch("tenancies", Tenancy.objects.current().prefetch_related("residents"), to_attr="households")


def describe_household(apartment: Any) -> str:
    """Who lives there since when, for a list."""
    return (
        "; ".join(
            f"{', '.join(str(user) for user in tenancy.residents.all()) or 'nobody yet'} since {tenancy.moved_in}"
            for tenancy in apartment.households
        )
        or "empty"
    )


class ApartmentAdmin(TracedAdmin):
    """Apartments and who lives there; metering registers it together with the apartment's meters."""

    building_path = "building"
    list_display = ("number", "floor", "building", "household", "area")
    list_filter = (("building", admin.RelatedOnlyFieldListFilter), "floor")
    search_fields = ("number", "floor", "building__name")
    list_select_related = ("building",)
    list_per_page = 100

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Its meters, readings and tenancies belong to this building.
        return ("building",) if obj else ()

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Apartment]:
        return super().get_queryset(request).prefetch_related(households_now())

    @admin.display(description="household")
    def household(self, apartment: Apartment) -> str:
        return describe_household(apartment)


class LastingFilter(admin.SimpleListFilter):
    """Tenancies that last, or those that ended."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("current", "Lasting"), ("other", "Ended or not begun")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        current = Tenancy.objects.current()
        return queryset.filter(pk__in=current) if self.value() == "current" else queryset.exclude(pk__in=current)


@admin.register(Tenancy)
class TenancyAdmin(TracedAdmin):
    """Who lives or lived where, from when until when."""

    building_path = "apartment__building"
    list_display = ("apartment", "moved_in", "moved_out", "people")
    list_filter = (LastingFilter, ("apartment__building", admin.RelatedOnlyFieldListFilter))
    search_fields = ("apartment__number", "residents__email")
    list_select_related = ("apartment__building",)
    filter_horizontal = ("residents",)
    date_hierarchy = "moved_in"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Tenancy]:
        return super().get_queryset(request).prefetch_related("residents")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        lived_in = Tenancy.history.model.residents.filter(history__id__in=[tenancy.pk for tenancy in objs])
        homes = set(lived_in.values_list("history__id", flat=True))
        if not homes:
            return super().get_deleted_objects(objs, request)
        # Who looked at their readings would be deleted with it.
        kept = [f"{tenancy}: fill in when they moved out instead" for tenancy in objs if tenancy.pk in homes]
        return [], {}, set(), kept

    @admin.display(description="residents")
    def people(self, tenancy: Tenancy) -> str:
        return ", ".join(str(user) for user in tenancy.residents.all())


@admin.register(Invitation)
class InvitationAdmin(TracedAdmin):
    """Make an invitation and see its link, once."""

    building_path = "tenancy__apartment__building"
    fields = ("tenancy", "expires_at")
    list_display = ("tenancy", "created_at", "expires_at", "used_at", "used_by")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    search_fields = ("tenancy__apartment__number", "used_by__email")
    list_select_related = ("tenancy__apartment__building", "used_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        obj.created_by = user_of(request)
        # Kept on the object only: it is shown in the answer to this request and never again.
        obj.link = obj.issue()  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Invitation, post_url_continue: Any = None) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": "Invitation link",
            "opts": self.opts,
            "invitation": obj,
            "qr": qr.draw(obj.link),  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/accounts/invitation/link.html", context)


UNPROVEN = (
    "the email address is not confirmed and may be a stranger's. Let them open the link in their mail. Or ask them "
    "whether the address is theirs, choose that you did, and approve then."
)


@admin.register(JoinRequest)
class JoinRequestAdmin(ReadOnlyAdmin):
    """Approve or refuse people who registered without an invitation."""

    building_path = "apartment__building"
    list_display = ("user", "address", "apartment", "lives_there_now", "state", "created_at", "decided_by")
    list_filter = ("state", ("apartment__building", admin.RelatedOnlyFieldListFilter))
    search_fields = ("user__email", "apartment__number")
    list_select_related = ("user", "decided_by")
    fields = ("user", "address", "apartment", "lives_there_now", "created_at", "state", "decided_at", "decided_by")
    readonly_fields = ("address", "lives_there_now")
    actions = ("join_household", "move_in", "vouch", "refuse")
    change_form_template = "admin/accounts/joinrequest/change_form.html"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[JoinRequest]:
        apartments = Apartment.objects.select_related("building").prefetch_related(households_now())
        unproven = unproven_addresses().filter(user=OuterRef("user"))
        rows: models.QuerySet[JoinRequest] = super().get_queryset(request)
        return rows.annotate(is_unproven=Exists(unproven)).prefetch_related(Prefetch("apartment", apartments))

    @admin.display(description="email address")
    def address(self, join_request: Any) -> str:
        return "not confirmed: may be a stranger's" if join_request.is_unproven else "confirmed"

    @admin.display(description="lives there now")
    def lives_there_now(self, join_request: JoinRequest) -> str:
        return describe_household(join_request.apartment)

    @admin.action(description="Approve: joins the household that lives there now", permissions=["view"])
    def join_household(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        self._decide(request, self._proven(request, rows), JoinRequest.join_household, "approved")

    @admin.action(description="Approve: new household from today, the one before it ends", permissions=["view"])
    def move_in(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        self._decide(request, self._proven(request, rows), JoinRequest.move_in, "approved")

    @admin.action(description="I asked them: the email address is theirs", permissions=["view"])
    def vouch(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        for row in rows:
            confirm(row.user)
            self.log_change(request, row, "Vouched for the email address.")
            self.message_user(request, f"{row.user}: confirmed by you.", messages.SUCCESS)

    @admin.action(description="Refuse", permissions=["view"])
    def refuse(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        self._decide(request, rows, JoinRequest.refuse, "refused")

    def _proven(self, request: HttpRequest, rows: models.QuerySet[Any]) -> list[JoinRequest]:
        """Those whose address is known to be theirs: an approval must not let a stranger in under another's name."""
        for row in rows.filter(is_unproven=True):
            self.message_user(request, f"{row} is not approved: {UNPROVEN}", messages.ERROR)
        return list(rows.filter(is_unproven=False))

    def _decide(
        self,
        request: HttpRequest,
        rows: Iterable[JoinRequest],
        decide: Callable[[JoinRequest, User], bool],
        word: str,
    ) -> None:
        decided = []
        for row in rows:
            try:
                decided.append(decide(row, user_of(request)))
            except ValidationError as error:
                self.message_user(request, f"{row}: {' '.join(error.messages)}", messages.ERROR)
        if any(decided):
            self.message_user(request, f"{sum(decided)} {word}.", messages.SUCCESS)
        if not all(decided):
            self.message_user(request, f"{decided.count(False)} had been decided already.", messages.WARNING)


@admin.register(AccessRecord)
class AccessRecordAdmin(ReadOnlyAdmin):
    """Who looked at readings of whose home. Nobody takes it back, a superuser neither."""

    building_path = "tenancy__apartment__building"
    list_display = ("last_at", "viewer", "role", "what", "tenancy")
    list_filter = ("what", (building_path, admin.RelatedOnlyFieldListFilter))
    search_fields = ("viewer__email", "tenancy__apartment__number")
    list_select_related = ("viewer", "tenancy__apartment__building")
    fields = ("tenancy", "viewer", "role", "what", "first_at", "last_at")
    date_hierarchy = "last_at"
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
