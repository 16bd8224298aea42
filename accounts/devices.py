"""Browsers that an account has logged in from: wrong log-ins from there are counted apart.

So nobody who guesses from elsewhere can lock the owner out (OWASP, "Slow Down Online Guessing Attacks
with Device Cookies"). The cookie says that somebody got in here once, and lets nobody in by itself.
"""

import datetime as dt
import secrets

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse

COOKIE = "device"
LIFETIME = dt.timedelta(days=365)


def remember(response: HttpResponse, email: str) -> None:
    """Send with the response a cookie that this browser is one of the account's."""
    value = _signer(email).sign(secrets.token_urlsafe(12))
    response.set_cookie(
        COOKIE, value, max_age=LIFETIME, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )


def recognize(request: HttpRequest, email: str) -> str | None:
    """The name of the browser, if this account has logged in from it; None where it has not."""
    try:
        return _signer(email).unsign(request.COOKIES.get(COOKIE, ""), max_age=LIFETIME)
    except BadSignature:
        return None


def _signer(email: str) -> TimestampSigner:
    # The address is part of the salt: a cookie of one account is worth nothing for another, and does not name it.
    return TimestampSigner(salt=f"{__name__}:{email.lower()}")
