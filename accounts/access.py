"""Which household, in which apartment, over which time: where every view begins."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, QueryDict

from accounts.models import Apartment, Building, JoinRequest, Tenancy, User

SESSION_KEY = "apartment"
CHOICE = "apartment"
"""The query parameter that chooses one of several apartments, as BUILDING/NUMBER."""


@dataclass(frozen=True)
class Span:
    """Time that belongs to one household: from `since` up to but excluding `until`, None while it lasts."""

    since: dt.datetime
    until: dt.datetime | None

    def covers(self, instant: dt.datetime) -> bool:
        """Whether that instant lies in it."""
        return self.since <= instant and (self.until is None or instant < self.until)


@dataclass(frozen=True)
class Residence:
    """A household's own time in its own apartment.

    `tenancy` is the newest one. Who moved out and in again has several `spans`, newest first; what
    lies between them is not theirs. `homes` are the newest tenancies in each apartment of the person's.

    `query` is the query string that chose it, empty where none did. `meter` is the one that is looked at, None for
    all of the apartment.
    """

    tenancy: Tenancy
    apartment: Apartment
    building: Building
    spans: tuple[Span, ...]
    homes: tuple[Tenancy, ...] = ()
    query: str = ""
    meter: int | None = None

    @property
    def since(self) -> dt.datetime:
        """The first instant of their own."""
        return self.spans[-1].since

    @property
    def until(self) -> dt.datetime | None:
        """The first instant after their own time; None while they live there."""
        return self.spans[0].until

    @property
    def has_ended(self) -> bool:
        """Whether the household has moved out by now."""
        return self.tenancy.has_ended

    def during(self, begin: dt.datetime, end: dt.datetime) -> "Residence":
        """The same household, of whose time only what lies between these two counts."""
        # One bound for each side: with two lower ones SQLite seeks by either, and steps over the rest.
        times = ((max(span.since, begin), min(span.until or end, end)) for span in self.spans)
        return replace(self, spans=tuple(Span(since, until) for since, until in times if since < until))

    def covers(self, instant: dt.datetime) -> bool:
        """Whether that instant is their own."""
        return any(span.covers(instant) for span in self.spans)

    @classmethod
    def of(cls, newest: Tenancy, *earlier: Tenancy) -> "Residence":
        """The time of one household; with the earlier times, newest first, of somebody who came back."""
        spans: list[Span] = []
        for tenancy in (newest, *earlier):
            # Who moved out and in again on one day was never away.
            goes_on = spans and tenancy.until == spans[-1].since
            until = spans.pop().until if goes_on else tenancy.until
            spans.append(Span(tenancy.since, until))
        return cls(newest, newest.apartment, newest.apartment.building, tuple(spans))


def user_of(request: HttpRequest) -> User:
    """The user who is logged in. Raises PermissionDenied for a visitor who is not."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def find_residence(request: HttpRequest) -> Residence | None:
    """The residence this request looks at; None for a visitor who lives nowhere.

    That of the apartment which the address names, None where it is nobody's of theirs; else of the one chosen at
    log-in, else of the newest tenancy that lasts, else of the last one that began before today: who moved out keeps
    looking at their own past.
    """
    if not hasattr(request, "_riser_residence"):
        request._riser_residence = _load(request)  # type: ignore[attr-defined]
    found: Residence | None = request._riser_residence  # type: ignore[attr-defined]
    return found


def fresh_residence(session_key: str, query: str = "") -> Residence | None:
    """What a page that stays open may still look at, asked of the database anew. `query` chooses among several.

    None once the session ended or ran out, the password changed, or the account was switched off.
    """
    request = HttpRequest()
    request.GET = QueryDict(query)
    request.session = SessionStore(session_key)
    request.user = get_user(request)
    return find_residence(request)


def forget_choice(request: HttpRequest) -> None:
    """From here on the request looks at what it would if its address named nothing."""
    request.GET = QueryDict()
    vars(request).pop("_riser_residence", None)


def load_residence(request: HttpRequest) -> Residence:
    """The residence this request looks at. Raises Http404 where there is none."""
    residence = find_residence(request)
    if residence is None:
        raise Http404("You have no apartment here.")
    return residence


def _load(request: HttpRequest) -> Residence | None:
    if not isinstance(request.user, User):
        return None
    begun = [t for t in Tenancy.objects.of(request.user) if t.moved_in <= t.apartment.building.today()]
    chosen, asked = request.session.get(SESSION_KEY), request.GET.get(CHOICE)
    # Sorting is stable, so the newest stays first among equals.
    homes = sorted(begun, key=lambda t: (t.apartment_id != chosen, t.has_ended))
    home = next((t for t in homes if asked is None or str(t.apartment) == asked), None)
    if home is None:
        return None
    newest = {t.apartment_id: t for t in reversed(begun)}
    return replace(
        Residence.of(*(t for t in begun if t.apartment_id == home.apartment_id)),
        homes=tuple(sorted(newest.values(), key=lambda t: (t.has_ended, str(t.apartment)))),
        query="" if asked is None else urlencode({CHOICE: asked}, safe="/"),
    )


def login_apartments(user: User) -> dict[str, int]:
    """What an account may name at log-in, NUMBER or BUILDING/NUMBER, with the apartments' ids.

    A number that is the user's in two buildings counts in the second form only.
    """
    waiting = Q(join_requests__user=user, join_requests__state=JoinRequest.State.WAITING)
    own = Apartment.objects.filter(Q(tenancies__residents=user) | waiting).select_related("building").distinct()
    numbers = Counter(apartment.number.lower() for apartment in own)
    names = {f"{apartment.building.slug}/{apartment.number}".lower(): apartment.pk for apartment in own}
    return names | {a.number.lower(): a.pk for a in own if numbers[a.number.lower()] == 1}
