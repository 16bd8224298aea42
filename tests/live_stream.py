"""A browser's open page, as the server sees it."""

import http.client
import json
from typing import Any

LOG_IN = """
from django.test import Client
from accounts.models import Apartment
from tests.factories import TenancyFactory, UserFactory
resident = UserFactory(email="resident@example.org")
TenancyFactory(apartment=Apartment.objects.get(number="101")).residents.add(resident)
client = Client()
client.force_login(resident)
print(client.session.session_key)
"""
"""Makes a resident of apartment 101 and prints the key of a session of theirs."""


class Ended(Exception):
    """The server tells nothing more."""


class Stream:
    """One open page."""

    def __init__(self, connection: http.client.HTTPConnection, cookie: str, **headers: str) -> None:
        self._connection = connection
        connection.request("GET", "/live", headers={"Cookie": cookie} | headers)
        self._answer = connection.getresponse()
        assert self._answer.status == 200
        self.number = ""

    def next(self) -> tuple[str, Any] | None:
        """The next event's name and data; None at the end."""
        fields: dict[str, str] = {}
        while line := self._answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                self.number = fields.get("id", self.number)
                return fields["event"], json.loads(fields["data"])
        return None

    def powers(self, number: int) -> list[float]:
        """Of the next readings, whatever the lamps say meanwhile."""
        found: list[float] = []
        while len(found) < number:
            event = self.next()
            if event is None:
                raise Ended
            if event[0] == "reading":
                found.append(event[1]["power"])
        return found

    def close(self) -> None:
        self._answer.close()
        self._connection.close()
