"""A person's own data, to take away."""

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import user_of
from metering.my_data import my_data
from metering.views.streaming import stream

# A million readings keep a processor busy for some ten seconds: enough for once a minute.
SECONDS_APART = 60
TOO_SOON = gettext_lazy(
    "You asked for your data less than a minute ago. Look into your downloads, or try again in a minute."
)


@require_GET
@login_required
def download(request: HttpRequest) -> HttpResponseBase:
    """One zip with everything that is kept about who asks."""
    user = user_of(request)
    if not cache.add(f"my-data-{user.pk}", True, SECONDS_APART):
        return render(request, "accounts/notice.html", {"title": _("Your data"), "text": TOO_SOON}, status=429)
    return stream(my_data(user, get_language()), "application/zip", f"riser-{timezone.localdate()}.zip")
