"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

import json
from typing import Any

RETRY_MILLISECONDS = 2000


def reading(number: int, data: dict[str, Any]) -> str:
    """A reading, like an answer of /api/power-data, with its power factor. `number` is where to go on after a drop."""
    return f"event: reading\nid: {number}\ndata: {json.dumps(data)}\n\n"


def status(data: dict[str, str]) -> str:
    """The three lamps: when one changes, and now and then, so that both ends know the line is there."""
    return f"event: status\ndata: {json.dumps(data)}\n\n"


def missed() -> str:
    """More was missed than is sent again: whoever draws a curve fetches it anew."""
    return "event: missed\ndata: {}\n\n"


def retry() -> str:
    """How soon a browser comes again after a drop."""
    return f"retry: {RETRY_MILLISECONDS}\n\n"
