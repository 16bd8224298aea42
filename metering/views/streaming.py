"""Answers that are made while they are sent."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse


def stream(pieces: Iterator[bytes], content_type: str, filename: str) -> StreamingHttpResponse:
    """A file to keep, a piece at a time."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return StreamingHttpResponse(_in_thread(pieces), content_type=content_type, headers=headers)


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is made in the request's thread, where the database may be used, and sent before the next one."""

    def next_piece() -> bytes | None:
        return next(pieces, None)

    # An empty piece is none that ends it.
    while (piece := await sync_to_async(next_piece)()) is not None:
        yield piece
