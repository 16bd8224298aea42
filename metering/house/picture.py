"""A building at this moment, for its manager: its floors, which meters are heard, and what the apartments take.

What a single apartment takes is a household's business: it is in the picture only where that look is recorded.
"""

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from accounts.models import AccessRecord, Apartment, Building, User
from accounts.occupancy import Occupancy, occupancy
from accounts.trace import record_access
from metering.figures import whole_watts
from metering.house.comparison import FEWEST_OTHERS
from metering.house.floors import from_the_top, natural
from metering.models import Meter, Reading
from metering.status import BrokerLamp, ListenerLamp, lamp_at, listener_lamps

State = Literal["live", "stale", "silent", "unheard", "none"]
"""Of an apartment's meters, the worst: heard lately, late, silent, never heard at all; none where there is no meter."""
STATES: tuple[State, ...] = ("live", "stale", "silent", "unheard", "none")

STEPS = (100, 300, 1000, 3000, 6000)
"""W; where one colour of the picture ends and the next begins."""

FEWEST_IN_A_SUM = FEWEST_OTHERS
"""So many apartments with people in them must be heard before the sum is shown without what each takes.

It tells of none of them then. Empty ones take next to nothing, so they hide nobody.
"""

BREADTHS = {4: "narrow", 6: "middling", 9: "usual"}
"""How a house is drawn whose floors have so many apartments at most; one with more is broad."""

RECORDED_ANEW = dt.timedelta(minutes=1)
"""A picture that stays open moves the recorded end of the look that often."""


@dataclass(frozen=True)
class Heard:
    """An installed meter, and its newest reading where it has one."""

    meter: Meter
    state: State
    taken_at: dt.datetime | None
    power: float | None
    """W; None where it is silent: how much that was some time ago is not what is taken now."""


@dataclass(frozen=True)
class Cell:
    """An apartment."""

    apartment: Apartment
    state: State
    power: float | None
    """W, all its meters that are heard together; None where none is, and where loads are not shown."""
    silent_seconds: float | None
    """Since the newest reading of a meter that is silent; None where none is."""
    is_empty: bool
    """Nobody lives there today."""
    requests: int

    @property
    def step(self) -> int | None:
        """Which of the colours, 0 for the lowest load."""
        return None if self.power is None else bisect_right(STEPS, self.power)


@dataclass(frozen=True)
class Floor:
    """The apartments of a floor, by number."""

    name: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Picture:
    """What is to be seen of a building at one moment."""

    building: Building
    at: dt.datetime
    has_loads: bool
    """Whether it shows what each apartment takes."""
    floors: Sequence[Floor]
    common: Sequence[Heard]
    """Main and common meters, the main ones first."""
    total: float | None
    """W, of all apartments that are heard; None where that is none, or would tell of single ones."""
    heard: int
    """Apartments whose load is part of the total."""
    listener: ListenerLamp
    broker: BrokerLamp
    occupancy: Occupancy

    @property
    def cells(self) -> list[Cell]:
        return [cell for floor in self.floors for cell in floor.cells]

    @property
    def breadth(self) -> str:
        """How the floors are drawn, after the one with the most apartments."""
        most = max((len(floor.cells) for floor in self.floors), default=0)
        return next((name for number, name in BREADTHS.items() if most <= number), "broad")

    @property
    def unwell(self) -> int:
        """Apartments with a meter that is silent or was never heard."""
        return sum(cell.state in ("silent", "unheard") for cell in self.cells)

    @property
    def legend(self) -> list[str]:
        """What the colours mean, the lowest load first."""
        steps = [whole_watts(step) for step in STEPS]
        between = [_("%(low)s to %(high)s") % {"low": low, "high": high} for low, high in pairwise(steps)]
        return [_("under %(power)s") % {"power": steps[0]}, *between, _("%(power)s and more") % {"power": steps[-1]}]

    @property
    def requests(self) -> int:
        return self.occupancy.requests.total()


def draw(building: Building, now: dt.datetime) -> Picture:
    """The picture that shows no apartment's load."""
    return _draw(building, _meters(building, now), now, has_loads=False)


def draw_with_loads(building: Building, viewer: User, now: dt.datetime) -> Picture:
    """The picture with each apartment's load. Before it is drawn, every household concerned can read who looks."""
    meters = _meters(building, now)
    seen = {(h.meter.apartment_id, h.taken_at) for h in meters if h.taken_at and h.power is not None}
    record_access(viewer, seen, AccessRecord.What.NOW, anew_after=RECORDED_ANEW)
    return _draw(building, meters, now, has_loads=True)


def _meters(building: Building, now: dt.datetime) -> list[Heard]:
    newest = Reading.objects.filter(meter=OuterRef("pk")).order_by("-taken_at")
    # Each of these seeks to the end of a meter's readings in the index.
    meters: Any = building.meters.filter(removed_at__isnull=True).order_by("-is_main", "installed_at", "pk")
    meters = meters.annotate(newest=Subquery(newest.values("taken_at")[:1]), watts=Subquery(newest.values("power")[:1]))
    return [_hear(meter, now) for meter in meters]


def _hear(meter: Any, now: dt.datetime) -> Heard:
    if meter.newest is None:
        return Heard(meter, "unheard", None, None)
    state = lamp_at(meter.newest, now)
    return Heard(meter, state, meter.newest, None if state == "silent" else meter.watts)


def _draw(building: Building, meters: Sequence[Heard], now: dt.datetime, *, has_loads: bool) -> Picture:
    by_home: defaultdict[int | None, list[Heard]] = defaultdict(list)
    for heard in meters:
        by_home[heard.meter.apartment_id].append(heard)
    people = occupancy(building)
    homes = building.apartments.order_by("pk")
    cells = [_cell(home, by_home[home.pk], people, now, has_loads=has_loads) for home in homes]
    powers = {pk: power for pk, own in by_home.items() if pk and (power := _sum(own)) is not None}
    is_told = has_loads or len(people.lived_in & powers.keys()) >= FEWEST_IN_A_SUM
    listener, broker = listener_lamps()
    return Picture(
        building=building,
        at=now,
        has_loads=has_loads,
        floors=_stack(cells),
        common=by_home[None],
        total=sum(powers.values()) if powers and is_told else None,
        heard=len(powers),
        listener=listener,
        broker=broker,
        occupancy=people,
    )


def _cell(
    apartment: Apartment, meters: Sequence[Heard], people: Occupancy, now: dt.datetime, *, has_loads: bool
) -> Cell:
    silent = [heard.taken_at for heard in meters if heard.state == "silent" and heard.taken_at]
    return Cell(
        apartment=apartment,
        state=max((heard.state for heard in meters), key=STATES.index, default="none"),
        power=_sum(meters) if has_loads else None,
        silent_seconds=max(((now - taken_at).total_seconds() for taken_at in silent), default=None),
        is_empty=apartment.pk not in people.lived_in,
        requests=people.requests[apartment.pk],
    )


def _sum(meters: Iterable[Heard]) -> float | None:
    powers = [heard.power for heard in meters if heard.power is not None]
    return sum(powers) if powers else None


def _stack(cells: Iterable[Cell]) -> list[Floor]:
    by_floor: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in sorted(cells, key=lambda cell: natural(cell.apartment.number)):
        by_floor[cell.apartment.floor].append(cell)
    return [Floor(name, by_floor[name]) for name in from_the_top(set(by_floor))]
