"""Looking back over a household's time: which time that is, and its curve of power.

From readings for a day; for more, from quarter hours and days, which are few enough, and stay when readings go.
"""

import datetime as dt

from accounts.access import Residence
from metering.history.curve import Curve, curve
from metering.history.long_curve import long_curve
from metering.models import Reading
from metering.periods import DAY, Period

ONE_DAY = dt.timedelta(hours=25)
"""Also where the clock is set back."""


def own_time(residence: Residence, first: dt.date | None, last: dt.date | None) -> Period:
    """From the beginning of the first local day to the end of the last one, as far as it is the household's own.

    Without a first day from moving in, without a last one until moving out or the end of today. Maybe empty.
    """
    building = residence.building
    begin = building.midnight(first) if first else residence.since
    end = building.midnight(last + DAY) if last else residence.until or building.midnight(building.today() + DAY)
    return Period(begin, end).within(residence.since, residence.until or end)


def curve_of(residence: Residence, period: Period) -> Curve:
    """Power in this time, thinned out to what a screen can show."""
    if period.seconds <= ONE_DAY.total_seconds():
        found = curve(Reading.objects.of(residence.during(*period)), period.seconds)
        if found["times"]:
            return found
    # Also of a day whose readings are gone.
    return long_curve(residence, period)
