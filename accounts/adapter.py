"""What Riser decides differently from allauth's defaults."""

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter

log = logging.getLogger("riser.mail")


class AccountAdapter(DefaultAccountAdapter):
    """One sentence for every failed log-in, so that it does not tell which part was wrong."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send, or say in the log why not: the page must not tell by failing that the account exists."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            log.error("mail not sent (%s): check EMAIL_URL", error)  # noqa: TRY400 - the trace says nothing more

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "Email, password and apartment number do not fit together. Check all three.",
        "email_taken": "This email address has an account already. Log in, or reset your password.",
        "too_many_login_attempts": "Too many failed log-ins. Wait five minutes and try again.",
    }
