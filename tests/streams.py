"""Answers that are made while they are sent, read to their end."""

from typing import Any

from asgiref.sync import async_to_sync


def whole(answer: Any) -> bytes:
    """What is made in another thread is made in this one, whose transaction holds the test's rows."""

    async def read() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(read)()
