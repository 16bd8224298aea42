"""Log-in and registration, built on allauth's forms."""

from typing import Any

from allauth.account.fields import PasswordField
from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.account.forms import SignupForm
from allauth.account.models import EmailAddress
from crispy_forms.helper import FormHelper
from django import forms
from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language_info, gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import SESSION_KEY, login_apartments
from accounts.confirmation import confirm
from accounts.models import Apartment, Building, Invitation, JoinRequest, User
from accounts.models.invitation import InvitationGone
from accounts.text import refuse_hidden


def lay_out(form: Any) -> None:
    """Make a form, one of allauth's as well, look like all others."""
    form.helper = FormHelper()
    form.helper.form_tag = False
    form.helper.disable_csrf = True
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)


class PageForm(forms.Form):
    """A form whose page brings the <form> element and the button."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lay_out(self)

    def full_clean(self) -> None:
        """Also puts the cursor where something is to be mended."""
        super().full_clean()
        wrong = next((name for name in self.fields if name in self.errors), None)
        if wrong:
            for field in self.fields.values():
                field.widget.attrs.pop("autofocus", None)
            self.fields[wrong].widget.attrs["autofocus"] = True


def apartment_field(**kwargs: Any) -> forms.CharField:
    """A field for the number on the door."""
    attributes = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
    return forms.CharField(
        label=_("Apartment number"), max_length=65, widget=forms.TextInput(attrs=attributes), **kwargs
    )


class LoginForm(PageForm, AllauthLoginForm):
    """Email, password and, where the account has several apartments, the number of one."""

    apartment = apartment_field(required=False, help_text=_("May stay empty if you have one apartment."))
    field_order = ("email", "password", "apartment")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = self.fields.pop("login")
        self.fields["email"].widget.attrs |= {"autocomplete": "email", "autofocus": True}
        self.fields["password"].help_text = ""
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        # allauth looks for the address under its own field name.
        self.cleaned_data["login"] = self.cleaned_data.get("email", "")
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.user and not self.errors:
            cleaned["apartment_id"] = self._choose_apartment(self.user, cleaned.get("apartment", ""))
        return cleaned

    def user_credentials(self) -> dict[str, Any]:
        credentials: dict[str, Any] = super().user_credentials()
        return credentials | {"apartment": self.cleaned_data.get("apartment", "")}

    def _choose_apartment(self, user: User, number: str) -> int | None:
        apartments = login_apartments(user)
        if number:
            return apartments[number.lower()]
        if len(set(apartments.values())) > 1:
            raise forms.ValidationError(
                _(
                    "You have several apartments. Give the number of the one you want to see, "
                    "or BUILDING/NUMBER where two have the same number."
                )
            )
        return next(iter(apartments.values()), None)

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        # Before the log-in: where a second factor follows, the session comes back to it later.
        request.session[SESSION_KEY] = self.cleaned_data["apartment_id"]
        response: HttpResponse = super().login(request, redirect_url)
        return response


class RegisterForm(PageForm, SignupForm):
    """A new account: for an apartment that a manager must approve, or through an invitation."""

    building = forms.ModelChoiceField(
        Building.objects.all(), label=_("Building"), empty_label=_("Choose your building")
    )
    apartment = apartment_field(help_text=_("As it stands on your door or in your lease."))
    floor = forms.CharField(label=_("Floor"), max_length=32, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    field_order = ("email", "password", "building", "apartment", "floor")

    def __init__(self, *args: Any, invitation: Invitation | None = None, **kwargs: Any) -> None:
        self.invitation = invitation
        super().__init__(*args, **kwargs)
        self.fields["password"] = self.fields.pop("password1")
        self.fields["password"].help_text = _(
            "At least 8 characters; no common word, not your address, not digits only."
        )
        self.fields["email"].widget.attrs["autofocus"] = True
        # Between quotation marks an address may hold anything.
        self.fields["email"].validators.append(refuse_hidden)
        self.fields["email"].validators.append(MaxLengthValidator(User._meta.get_field("email").max_length or 254))
        if invitation:
            self._fix_apartment(invitation.tenancy.apartment)
        elif Building.objects.count() < 2:
            del self.fields["building"]
        self.order_fields(self.field_order)

    def _fix_apartment(self, apartment: Apartment) -> None:
        fixed = {"building": apartment.building, "apartment": apartment.number, "floor": apartment.floor}
        for name, value in fixed.items():
            self.fields[name].disabled = True
            self.fields[name].help_text = ""
            self.initial[name] = value

    def clean(self) -> dict[str, Any]:
        if "password" in self.cleaned_data:
            # allauth validates and stores the password under its own field name.
            self.cleaned_data["password1"] = self.cleaned_data["password"]
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "apartment" in cleaned and "floor" in cleaned:
            self._clean_apartment(cleaned)
        return cleaned

    def _clean_apartment(self, cleaned: dict[str, Any]) -> None:
        building = cleaned.get("building") or Building.objects.first()
        apartment = Apartment.objects.filter(building=building, number__iexact=cleaned["apartment"]).first()
        if apartment is None:
            missing = gettext("There is no apartment %(number)s in this building.") % {"number": cleaned["apartment"]}
            self.add_error("apartment", missing)
        elif apartment.floor.lower() != cleaned["floor"].lower():
            wrong = gettext("Apartment %(number)s is not on this floor. Check both.") % {"number": apartment.number}
            self.add_error("floor", wrong)
        cleaned["home"] = apartment

    def add_error(self, field: str | None, error: Any) -> None:
        super().add_error("password" if field == "password1" else field, error)

    def validate_unique_email(self, value: str) -> str:
        # Whether there is an account is for the mailbox to know, not for the page.
        return value

    def save(self, request: HttpRequest) -> User | None:
        """The new account; None where the address has one already. Either way one password is hashed.

        Raises InvitationGone, and leaves no account behind, where somebody else was faster.
        """
        user = User(email=self.cleaned_data["email"])
        # Before the transaction: on SQLite it would keep the listener from storing meanwhile.
        user.set_password(self.cleaned_data["password"])
        try:
            with transaction.atomic():
                user.save()
                EmailAddress.objects.create(user=user, email=user.email, primary=True)
                self._settle(user)
        except IntegrityError:
            if not User.objects.filter(email=user.email).exists():
                raise
            return None
        return user

    def _settle(self, user: User) -> None:
        """Become a resident through the invitation, else wait for a manager."""
        if self.invitation is None:
            JoinRequest.objects.create(user=user, apartment=self.cleaned_data["home"])
        elif not self.invitation.accept(user):
            raise InvitationGone
        else:
            confirm(user)


class ConfirmForm(PageForm):
    """The password chosen when registering: whoever registered a stranger's address knows no other way in."""

    password = PasswordField(label=_("Password"), autocomplete="current-password")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        self.fields["password"].widget.attrs["autofocus"] = True

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not the password that was chosen when registering."))
        return password


def languages() -> list[tuple[str, str]]:
    """What may be chosen, each by its own name; first of all nothing."""
    names = [(code, str(get_language_info(code)["name_local"])) for code, _name in settings.LANGUAGES]
    return [("", gettext("As my browser asks for")), *names]


class LanguageForm(PageForm):
    """The language of somebody's pages and mails."""

    language = forms.ChoiceField(label=_("Language of pages and mails"), choices=languages, required=False)
