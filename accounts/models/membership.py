"""When somebody belonged to which household, as the history of tenancies has it."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts.models.tenancy import Tenancy

if TYPE_CHECKING:
    from accounts.models.user import User


@dataclass(frozen=True)
class Membership:
    """From being let into a household until being taken out of it; `until` is None while it lasts."""

    tenancy_id: int
    since: dt.datetime
    until: dt.datetime | None

    def saw(self, instant: dt.datetime) -> bool:
        """Whether what was changed then is for this person to know: joining and being taken out included."""
        return self.since <= instant and (self.until is None or instant <= self.until)


def memberships(user: "User") -> list[Membership]:
    """All of a user's, those included that ended because somebody emptied or deleted the tenancy."""
    with_user = Tenancy.history.model.residents.filter(user=user)
    inside = set(with_user.values_list("history_id", flat=True))
    records = Tenancy.history.filter(id__in=with_user.values("history__id")).order_by(
        "id", "history_date", "history_id"
    )
    found: list[Membership] = []
    since: dict[int, dt.datetime] = {}
    for tenancy, record, at, kind in records.values_list("id", "history_id", "history_date", "history_type"):
        if record in inside and kind != "-":
            since.setdefault(tenancy, at)
        elif tenancy in since:
            found.append(Membership(tenancy, since.pop(tenancy), at))
    return found + [Membership(tenancy, at, None) for tenancy, at in since.items()]
