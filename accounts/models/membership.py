"""When somebody belonged to which household, as the history of tenancies has it."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accounts.models.tenancy import Tenancy

if TYPE_CHECKING:
    from accounts.models.user import User


@dataclass(frozen=True)
class Membership:
    """From being let into a household until being taken out of it; `until` is None while it lasts."""

    tenancy_id: int
    since: dt.datetime
    until: dt.datetime | None
    first: int
    last: int | None

    def saw(self, instant: dt.datetime) -> bool:
        """Whether what was changed then is for this person to know: joining and being taken out included."""
        return self.since <= instant and (self.until is None or instant <= self.until)

    def includes(self, record: Any) -> bool:
        """The same for a record of the tenancy: of several that were saved at once, those from joining to leaving."""
        place = record.history_date, record.history_id
        ends = None if self.until is None else (self.until, self.last)
        return (self.since, self.first) <= place and (ends is None or place <= ends)


def memberships(user: "User") -> list[Membership]:
    """All of a user's, those included that ended because somebody emptied or deleted the tenancy."""
    with_user = Tenancy.history.model.residents.filter(user=user)
    inside = set(with_user.values_list("history_id", flat=True))
    records = Tenancy.history.filter(id__in=with_user.values("history__id")).order_by(
        "id", "history_date", "history_id"
    )
    found: list[Membership] = []
    since: dict[int, tuple[dt.datetime, int]] = {}
    empty = _before_anybody(records, inside)
    for tenancy, record, at, kind in records.values_list("id", "history_id", "history_date", "history_type"):
        if record in inside and kind != "-":
            since.setdefault(tenancy, empty.pop(tenancy, (at, record)))
        elif tenancy in since:
            began, first = since.pop(tenancy)
            found.append(Membership(tenancy, began, at, first, record))
    return found + [Membership(tenancy, at, None, first, None) for tenancy, (at, first) in since.items()]


def _before_anybody(records: Any, own: set[int]) -> dict[int, tuple[dt.datetime, int]]:
    """The first records of those tenancies that had nobody before one of `own`: what was changed then is for them."""
    peopled = set(Tenancy.history.model.residents.filter(history__in=records).values_list("history_id", flat=True))
    begun: dict[int, tuple[dt.datetime, int]] = {}
    found: dict[int, tuple[dt.datetime, int]] = {}
    seen: set[int] = set()
    for tenancy, record, at in records.values_list("id", "history_id", "history_date"):
        begun.setdefault(tenancy, (at, record))
        if record in peopled and tenancy not in seen:
            seen.add(tenancy)
            if record in own:
                found[tenancy] = begun[tenancy]
    return found
