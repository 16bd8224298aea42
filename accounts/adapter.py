"""What Riser decides differently from allauth's defaults."""

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    """One sentence for every failed log-in, so that it does not tell which part was wrong."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "Email, password and apartment number do not fit together. Check all three.",
        "email_taken": "This email address has an account already. Log in, or reset your password.",
        "too_many_login_attempts": "Too many failed log-ins. Wait five minutes and try again.",
    }
