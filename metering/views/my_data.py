"""A person's own data, to take away."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import user_of
from metering.my_data import my_data

# A million readings keep a processor busy for some ten seconds: enough for once a minute.
SECONDS_APART = 60
TOO_SOON = "You asked for your data less than a minute ago. Look into your downloads, or try again in a minute."


@require_GET
@login_required
def download(request: HttpRequest) -> HttpResponseBase:
    """One zip with everything that is kept about who asks."""
    user = user_of(request)
    if not cache.add(f"my-data-{user.pk}", True, SECONDS_APART):
        return render(request, "accounts/notice.html", {"title": "Your data", "text": TOO_SOON}, status=429)
    return StreamingHttpResponse(
        _in_thread(my_data(user)),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="riser-{timezone.localdate()}.zip"'},
    )


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is made in the request's thread, where the database may be used, and sent before the next one."""

    def next_piece() -> bytes:
        return next(pieces, b"")

    while piece := await sync_to_async(next_piece)():
        yield piece
