"""Ending sessions."""

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest

from accounts.access import user_of


def end_other_sessions(request: HttpRequest) -> None:
    """Log this account out on every device but the one that asks."""
    user = user_of(request)
    user.end_sessions()
    update_session_auth_hash(request, user)
