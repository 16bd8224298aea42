"""Accounts."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import user_of
from accounts.confirmation import unproven_addresses
from accounts.deletion import is_last_superuser, leaves_no_superuser
from accounts.models import Building, Tenancy, User
from accounts.trace import held_since, when_they_came
from accounts.traced_admin import TracedAdmin
from accounts.two_factor import take_off


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
            raise ValidationError(_("This is the last administrator: nobody could name managers any more."))
        return cleaned


class UserPasswordForm(AdminPasswordChangeForm):
    """A new password from a superuser. Django's own form warns in English only."""

    usable_password_help_text = _(  # type: ignore[assignment]
        '<ul id="id_unusable_warning" class="messagelist"><li class="warning">'
        "If disabled, the current password for this user will be lost.</li></ul>"
    )


class UserAdmin(TracedAdmin, DjangoUserAdmin):
    """Managers see the people of their buildings; only a superuser edits accounts.

    Metering registers it together with deleting what a person saved.
    """

    form = UserForm
    add_form = UserCreationForm
    change_password_form = UserPasswordForm
    instead = _("Make another account an administrator first.")
    list_display = ("email", "apartment", "is_active", "is_superuser", "two_factor", "last_login")
    list_filter = ("is_active",)
    search_fields = ("email",)
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Rights"), {"fields": ("is_active", "is_superuser")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
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
        who = {"ip": _("Riser's administration"), "user_agent": str(request.user)}
        get_adapter(request).send_notification_mail(template, user, who)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        if leaves_no_superuser([user.pk for user in objs]):
            protected = [*protected, gettext("The last administrator: nobody could name managers any more")]
        return to_delete, counts, forbidden, protected

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @admin.display(description=_("lives in"))
    def apartment(self, user: User) -> str:
        return ", ".join(str(tenancy.apartment) for tenancy in user.homes)  # type: ignore[attr-defined]

    @admin.display(description=_("two-factor"), boolean=True, ordering="two_factor")
    def two_factor(self, user: Any) -> bool:
        on: bool = user.two_factor
        return on

    @admin.action(description=_("Take two-factor off: phone and recovery codes are lost"), permissions=["change"])
    def take_off_two_factor(self, request: HttpRequest, users: models.QuerySet[User]) -> None:
        for user in users:
            if take_off(user):
                self._tell(request, user, "mfa/email/totp_deactivated")
                self.message_user(
                    request, gettext("Two-factor is off for %(account)s.") % {"account": user}, messages.SUCCESS
                )
            else:
                self.message_user(
                    request, gettext("There was none on %(account)s.") % {"account": user}, messages.WARNING
                )
