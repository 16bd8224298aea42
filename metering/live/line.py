"""Holds the connection of a page that listens, for as long as it does.

Django says who may listen, and answers; then the line is held here. Held by Django, each would keep a thread and a
connection to the database.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from accounts.rights import Visitor
from metering.live.subscriber import Subscriber
from metering.live.watcher import watcher

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
TICKET = "riser.live"


async def texts(scope: Message, visitor: Visitor, last: int | None) -> AsyncIterator[str]:
    """The body of an answer: nothing where LiveLines holds the line from then on, else all that is told."""
    if TICKET in scope:
        scope[TICKET].append((visitor, last))
        return
    async with watcher.subscribe(visitor, last) as subscriber:
        if subscriber:
            async for text in subscriber.texts():
                yield text


class LiveLines:
    """The application, with lines that stay open."""

    def __init__(self, application: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        tickets: list[tuple[Visitor, int | None]] = []

        async def send_unfinished(message: Message) -> None:
            unfinished = tickets and message["type"] == "http.response.body"
            await send({**message, "more_body": True} if unfinished else message)

        await self.application({**scope, TICKET: tickets}, receive, send_unfinished)
        for visitor, last in tickets:
            await _hold(visitor, last, receive, send)


async def _hold(visitor: Visitor, last: int | None, receive: Receive, send: Send) -> None:
    async with watcher.subscribe(visitor, last) as subscriber:
        if subscriber:
            ways = (_say(subscriber, send), _hang_up(receive), subscriber.ended.wait())
            tasks = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
            if subscriber.is_behind:
                # It does not read: nothing more can be sent, and the server closes what is left unfinished.
                return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _say(subscriber: Subscriber, send: Send) -> None:
    async for text in subscriber.texts():
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
