"""Where in a building somebody lives, and who waits to be let in."""

from collections import Counter
from dataclasses import dataclass

from django.utils import timezone

from accounts.models import Building, Invitation, JoinRequest, Tenancy


@dataclass(frozen=True)
class Occupancy:
    """A building's households of today. Apartments are named by their ids."""

    lived_in: frozenset[int]
    requests: Counter[int]
    """How many people wait for a manager to let them into this apartment."""
    invited: int
    """Invitations that may still be used."""
    expired: int
    """Invitations that ran out unused, to apartments where nobody has an account yet."""


def occupancy(building: Building) -> Occupancy:
    """Who lives in this building today, and who waits. A few queries, however large it is."""
    current = Tenancy.objects.filter(apartment__building=building).current()
    waiting = JoinRequest.objects.filter(apartment__building=building, state=JoinRequest.State.WAITING)
    unused = Invitation.objects.filter(tenancy__apartment__building=building, used_at__isnull=True)
    lasting = unused.exclude(tenancy__moved_out__lte=building.today())
    now = timezone.now()
    return Occupancy(
        lived_in=frozenset(current.values_list("apartment_id", flat=True)),
        requests=Counter(waiting.order_by().values_list("apartment_id", flat=True)),
        invited=lasting.filter(expires_at__gt=now).count(),
        expired=lasting.filter(expires_at__lte=now, tenancy__residents__isnull=True).count(),
    )
