"""What decides what open pages may show, for many visitors at once."""

from collections import defaultdict
from collections.abc import Collection, Hashable
from typing import NamedTuple

from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import Tenancy, User


class Visitor(NamedTuple):
    """A page that stays open: its session, its account, and the query that chooses among its apartments and meters."""

    session_key: str
    user: int
    query: str = ""


def rights(visitors: Collection[Visitor]) -> dict[Visitor, Hashable]:
    """For each visitor a value that stays the same as long as nothing changed that decides what they may see.

    Three queries, however many visitors: where a value is another than before, ask `fresh_residence`. Visitors
    whose session ended are not among them. What time alone changes, such as a day on which somebody moves, is not
    told by it.
    """
    keys, users = {visitor.session_key for visitor in visitors}, {visitor.user for visitor in visitors}
    lasting = Session.objects.filter(pk__in=keys, expire_date__gt=timezone.now())
    sessions = dict(lasting.values_list("session_key", "session_data"))
    found = User.objects.filter(pk__in=users).values_list("pk", "password", "sessions_ended_at", "is_active")
    accounts = {pk: rest for pk, *rest in found}
    homes: defaultdict[int, list[object]] = defaultdict(list)
    tenancies = Tenancy.objects.filter(residents__in=users).order_by("pk")
    for user, *home in tenancies.values_list("residents", "pk", "apartment", "moved_in", "moved_out"):
        homes[user].append(tuple(home))
    return {
        visitor: (sessions[visitor.session_key], *accounts[visitor.user], *homes[visitor.user])
        for visitor in visitors
        if visitor.session_key in sessions and visitor.user in accounts
    }
