"""Asks as somebody, and says what came back."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.walls.cast import Cast, leaks
from tests.walls.table import LOGIN, Answer


@dataclass(frozen=True)
class Said:
    """An answer as far as the tables speak of it."""

    status: Answer
    body: str
    response: Any


def without_token(page: str) -> str:
    """A page's forms have another one each time."""
    return re.sub(r'(?<=name="csrfmiddlewaretoken" value=")\w+', "", page)


def ask(cast: Cast, role: str, path: str, data: dict[str, Any] | None = None, *, method: str = "get") -> Said:
    """Ask, and fail where anything in the answer is not for this role. A redirect's status is where it leads.

    A page may repeat what was asked for.
    """
    response = getattr(cast.clients[role], method)(path, data or {})
    body = "" if response.streaming else without_token(response.content.decode(errors="replace"))
    asked = unquote(path)
    found = [secret for secret in leaks(role, body + response.get("Location", "")) if secret not in asked]
    assert found == [], f"{role} at {path}"
    status: Answer = response.status_code
    if response.status_code in (301, 302):
        place = response["Location"].partition("?")[0]
        status = LOGIN if place == "/login" and "?next=" in response["Location"] else place
    return Said(status, body, response)
