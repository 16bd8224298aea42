"""Two-factor log-in: how its secrets are kept, who has it, and who must."""

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.models import User

WHY = _("Managers log in with two factors here. Set up two-factor log-in first.")

TAKEN_OFF = gettext_noop("Two-factor taken off")
"""Kept in English, shown in the language of the page."""

SET_UP = "mfa_activate_totp"
OPEN_WITHOUT = {
    SET_UP, "mfa_index", "mfa_reauthenticate", "account_reauthenticate", "account", "log_out_everywhere",
    "account_logout", "admin:logout", "healthz", "readyz", "metrics", "theme", "manifest", "service_worker", "offline",
}  # fmt: skip
"""The pages that managers without two-factor may open where they need it."""


class TwoFactorAdapter(DefaultMFAAdapter):
    """Keeps the secrets encrypted in the database: a copy of it alone makes nobody's codes."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code is wrong, too old, or was used already. Wait for the next one."),
        "too_many_codes": _("Too many wrong codes. Wait five minutes and try again."),
        "unreadable": _(
            "The secret of your two-factor log-in cannot be read any more, because this installation's "
            "SECRET_KEY was changed. Ask an administrator to take two-factor off your account."
        ),
    }

    def encrypt(self, text: str) -> str:
        return _keys().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret. Raises ValidationError where it was encrypted under another SECRET_KEY."""
        try:
            return _keys().decrypt(encrypted_text).decode()
        except InvalidToken as error:
            raise self.validation_error("unreadable") from error


def _keys() -> MultiFernet:
    """Encrypts with SECRET_KEY; reads also what the keys before it encrypted, where they are still named."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [salted_hmac("accounts.two_factor", b"", secret, algorithm="sha256").digest() for secret in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


@dataclass(frozen=True)
class TwoFactor:
    """The two-factor log-in of an account: since when it is on, how many recovery codes are left."""

    since: dt.datetime
    codes_left: int


def two_factor_of(user: User) -> TwoFactor | None:
    """The account's two-factor log-in; None where it is off."""
    own = {authenticator.type: authenticator for authenticator in Authenticator.objects.filter(user=user)}
    if Authenticator.Type.TOTP not in own:
        return None
    codes = own.get(Authenticator.Type.RECOVERY_CODES)
    return TwoFactor(own[Authenticator.Type.TOTP].created_at, len(codes.wrap().get_unused_codes()) if codes else 0)


def has_two_factor(user: User) -> bool:
    """Whether this account logs in with a code besides its password."""
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


@transaction.atomic
def take_off(user: User) -> bool:
    """Take two-factor off an account whose owner lost phone and codes, and end its sessions.

    Returns False where it was off.
    """
    deleted, _by_model = Authenticator.objects.filter(user=user).delete()
    if deleted:
        user.end_sessions()
        User.history.bulk_history_create(
            [user], update=True, default_change_reason=gettext_noop("Two-factor taken off")
        )
    return bool(deleted)


def must_set_up(request: HttpRequest) -> bool:
    """Whether this visitor needs two-factor and does not have it."""
    user = request.user
    return bool(
        settings.REQUIRE_MANAGER_2FA and isinstance(user, User) and user.is_manager and not has_two_factor(user)
    )


class RequireTwoFactor:
    """Sends managers and superusers without two-factor to its set-up page, where it is required."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """None for whoever may go on. Programs, which cannot follow a redirect to a page, get a 403."""
        match = request.resolver_match
        if match is None or match.view_name in OPEN_WITHOUT or not must_set_up(request):
            return None
        if match.view_name == "live":
            return HttpResponse(f"{WHY}\n", status=403, content_type="text/plain")
        if match.namespace == "api" and match.url_name != "openapi-view":
            return JsonResponse({"detail": WHY}, status=403)
        return redirect(SET_UP)
