"""What Riser decides differently from allauth's defaults."""

import logging
from smtplib import SMTPException
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from accounts import devices
from accounts.access import login_apartments
from accounts.confirmation import awaits_confirmation
from accounts.models import User

log = logging.getLogger("riser.mail")

FIRST_STEP = "first_step"
"""Where a session keeps which password, and which log-out everywhere, a log-in began after."""

NOBODY = User(pk=0)


class AccountAdapter(DefaultAccountAdapter):
    """One sentence and one count for every failed log-in, so that it does not tell which part was wrong."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _(
            "Email, password and apartment number do not fit together. Check all three. "
            "Just registered? First open the link in the mail we sent you."
        ),
        "too_many_login_attempts": _(
            "Too many failed log-ins. Wait five minutes and try again, or reset your password: then you get in at once."
        ),
    }

    def authenticate(self, request: HttpRequest, apartment: str = "", **credentials: Any) -> User | None:
        """The user whom email, password and, where it is given, apartment number fit; else None, and it is counted.

        Raises ValidationError where too many did not fit.
        """
        user: User | None = super().authenticate(request, **credentials)
        # Nobody is looked up as everybody is, so that a wrong password takes as long as a wrong apartment.
        somebody = user or NOBODY
        apartments = login_apartments(somebody) if apartment else {}
        if awaits_confirmation(somebody) or user is None or (apartment and apartment.lower() not in apartments):
            return None
        super()._rollback_login_failed_rl_usage()
        return user

    def _rollback_login_failed_rl_usage(self) -> None:
        """Not before the apartment number was looked at as well: a right password alone is a failed log-in."""

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        device = devices.recognize(request, credentials["email"])
        if device is None:
            self._count_stranger(request, **credentials)
            return
        self._login_failed_rl_usage = ratelimit.consume(
            request, app="allauth.account", action="login_failed_device", key=device
        )
        if not self._login_failed_rl_usage:
            raise self.validation_error("too_many_login_attempts")

    def _count_stranger(self, request: HttpRequest, **credentials: Any) -> None:
        """Count for the address, too: apart, because allauth forgets its own count where a code or a reset succeeds."""
        by_address = ratelimit.consume(request, app="allauth.account", action="login_failed_address")
        if not by_address:
            raise self.validation_error("too_many_login_attempts")
        super().pre_authenticate(request, **credentials)
        self._login_failed_rl_usage.usage += by_address.usage

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth counts by the Host header as well, whose port a visitor may choose: a fresh count for each.
        return str(credentials["email"]).lower()

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        request.session[FIRST_STEP] = user.get_session_auth_hash()
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def login(self, request: HttpRequest, user: User) -> None:
        """Not where the password changed, or the account was logged out everywhere, while the code was awaited."""
        begun = request.session.pop(FIRST_STEP, "")
        if not user.is_active or not constant_time_compare(begun, user.get_session_auth_hash()):
            raise ImmediateHttpResponse(redirect("account_login"))
        super().login(request, user)

    def is_safe_url(self, url: str) -> bool:
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            # Not an address at all, such as http://[
            return False

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        devices.remember(response, user)
        return response

    def get_reset_password_from_key_url(self, key: str) -> str:
        # Links in mails begin with our own address, not with the Host header of whoever asked for the mail.
        return f"{settings.SITE_URL}{urlsplit(super().get_reset_password_from_key_url(key)).path}"

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        # Accounts that were made on the server have no address of allauth's.
        super().send_notification_mail(template_prefix, user, context, email or user.email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send in the recipient's language, for a stranger that of the page.

        Where that fails the log says why: the page must not tell by failing that the account exists.
        """
        chosen = User.objects.filter(email=email.lower()).values_list("language", flat=True).first()
        try:
            with translation.override(chosen or translation.get_language()):
                super().send_mail(template_prefix, email, context | {"site_url": settings.SITE_URL})
        except (OSError, SMTPException, UnicodeError) as error:
            log.error("mail not sent (%s): check EMAIL_URL", error)  # noqa: TRY400 - the trace says nothing more
