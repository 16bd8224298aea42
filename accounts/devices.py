"""Browsers that an account has logged in from: wrong log-ins from there are counted apart.

So nobody who guesses from elsewhere can lock the owner out (OWASP, "Slow Down Online Guessing Attacks
with Device Cookies"). The cookie says that somebody got in here once, and lets nobody in by itself.
"""

import datetime as dt
import secrets

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse

from accounts.models import User

LIFETIME = dt.timedelta(days=365)


def cookie_name() -> str:
    """The cookie's name; over TLS one that no other host under the same domain can set."""
    return f"{settings.COOKIE_PREFIX}device"


def remember(response: HttpResponse, user: User) -> None:
    """Send with the response a cookie that this browser is one of the account's."""
    value = _signer(user.email, user.password).sign(secrets.token_urlsafe(12))
    response.set_cookie(
        cookie_name(), value, max_age=LIFETIME, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )


def recognize(request: HttpRequest, email: str) -> str | None:
    """The name of the browser, if this account has logged in from it with its present password; else None."""
    password = User.objects.filter(email=email.lower()).values_list("password", flat=True).first()
    try:
        return _signer(email, password or "").unsign(request.COOKIES.get(cookie_name(), ""), max_age=LIFETIME)
    except BadSignature:
        return None


def _signer(email: str, password: str) -> TimestampSigner:
    # The address is part of the salt: a cookie of one account is worth nothing for another, and does not name it.
    # So is the stored password: whoever knew the old one has no more guesses than anybody else.
    return TimestampSigner(salt=f"{__name__}:{email.lower()}:{password}")
