"""Delete one's own account."""

from collections.abc import Callable
from typing import Any

from allauth.core.ratelimit import consume_or_429
from django import forms
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView

from accounts.access import user_of
from accounts.deletion import (
    LastSuperuser,
    buildings_left_alone,
    delete_account,
    households_of,
    how_long_kept,
    is_last_superuser,
)
from accounts.forms import PageForm
from accounts.models import User


class DeleteAccountForm(PageForm):
    """The password, and the will."""

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    understood = forms.BooleanField(label=_("I understand that this cannot be undone."))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not your password."))
        return password


class DeleteAccountView(LoginRequiredMixin, FormView):
    """Says what goes and what stays, and deletes the account whose password is given."""

    template_name = "accounts/delete_account.html"
    form_class = DeleteAccountForm
    http_method_names = ["get", "head", "post"]
    delete: Callable[[User], None] = staticmethod(delete_account)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Who found an open page must not be able to try passwords here.
        refusal: HttpResponse | None = consume_or_429(request, action="reauthenticate", user=user_of(request))
        return refusal or super().post(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"user": user_of(self.request)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = user_of(self.request)
        return super().get_context_data(**kwargs) | {
            "last_superuser": is_last_superuser(user),
            "left_alone": buildings_left_alone(user),
            "households": households_of(user),
            "kept": how_long_kept(),
        }

    def form_valid(self, form: DeleteAccountForm) -> HttpResponse:
        try:
            self.delete(user_of(self.request))
        except LastSuperuser:
            return self.render_to_response(self.get_context_data(form=form), status=409)
        logout(self.request)
        return render(self.request, "accounts/delete_account_done.html")
