"""Where a derivation begins: with the reading from which on everything is known that it is asked for."""

from typing import NamedTuple

from django.db import connection

from metering.derivation.dialects import DIALECTS, WIDTH

STRONGEST_KW, STRONGEST_KW_OF_APARTMENT = 1000.0, 100.0
"""No meter passes more: what goes on faster was exchanged, or shows itself again after a restart."""
LOOKBACK = 96
"""Quarter hours after which a register that was not shown begins anew: what lies between is known by power alone."""


class Window(NamedTuple):
    """What a meter is derived from."""

    meter: int
    since: int
    """The microsecond of the reading to begin with."""
    high: float | None
    """The highest that the register had shown by then; None where it begins there."""
    strongest: float
    """kW"""
    has_register: bool


# A meter's newest load in which its register was shown, before the quarter hour {quarter}.
_SHOWN = """(SELECT CAST(MAX(l.quarter) AS bigint) FROM metering_load l WHERE l.meter_id = meter
    AND l.quarter >= {quarter} - {lookback} AND l.quarter < {quarter} AND l.register IS NOT NULL)"""
# Whether its register is shown from then on.
_HEARD = """(SELECT 1 FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at >= {since}
    AND r.energy_total IS NOT NULL LIMIT 1) IS NOT NULL"""

# Seeks alone, no joins: for these PostgreSQL, which cannot know how few are asked for, would read all that there are.
# Where to begin: the last reading before that quarter hour, else the first one in it. Where a register is shown later,
# the last one before that shows it; the load of the quarter hour in which it lies says what it had shown by then.
_WINDOWS = """
WITH asked(meter, quarter) AS (VALUES {asked}),
around AS (
    SELECT meter, quarter, {heard} AS heard,
        (SELECT MAX(r.taken_at) FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at < {since}) AS before,
        (SELECT MIN(r.taken_at) FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at >= {since}) AS first
    FROM asked
),
shown AS (
    SELECT around.*, CASE
        WHEN (
            SELECT r.energy_total FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at = before
        ) IS NOT NULL THEN before
        WHEN heard THEN (
            SELECT MAX(r.taken_at) FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at < before
            AND r.taken_at >= {shown_since} AND r.energy_total IS NOT NULL
        ) END AS anchor
    FROM around
)
SELECT s.meter, {begin},
    (SELECT l.register FROM metering_load l WHERE l.meter_id = s.meter AND l.quarter = {anchor} / {width}),
    CASE WHEN m.apartment_id IS NULL THEN {strongest} ELSE {weaker} END, s.heard OR s.anchor IS NOT NULL
FROM shown s JOIN metering_meter m ON m.id = s.meter
WHERE s.before IS NOT NULL OR s.first IS NOT NULL
"""

# Readings from an instant on change the quarter hours from that of the reading before on. Where one of them shows the
# register, from that of the last one before that does.
_TOUCHED = """
WITH asked(meter, instant) AS (VALUES {asked}),
followed AS (
    SELECT meter, instant, (SELECT MAX(r.taken_at) FROM metering_reading r WHERE r.meter_id = meter
        AND r.taken_at < {since}) AS before FROM asked
),
begun AS (
    SELECT meter, instant, COALESCE({before}, instant) / {width} AS quarter FROM followed
)
SELECT meter, quarter, CASE WHEN {heard} AND (
    SELECT 1 FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at >= {quarter_start} AND r.taken_at < {since}
    AND r.energy_total IS NOT NULL LIMIT 1
) IS NULL THEN {shown} END FROM begun
"""


def touched_from(firsts: dict[int, int]) -> dict[int, int]:
    """From which quarter hour on what these meters say from that microsecond on changes anything."""
    dialect = DIALECTS[connection.vendor]
    since = dialect["instant"].format("instant")
    statement = _TOUCHED.format(
        asked=", ".join([dialect["pair"]] * len(firsts)),
        since=since,
        before=dialect["microseconds"].format("before"),
        heard=_HEARD.format(since=since),
        quarter_start=dialect["instant"].format(f"(quarter * {WIDTH})"),
        shown=_SHOWN.format(quarter="begun.quarter", lookback=LOOKBACK),
        width=WIDTH,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for pair in firsts.items() for value in pair])
        return {meter: quarter if shown is None else shown for meter, quarter, shown in cursor.fetchall()}


def windows_from(quarters: dict[int, int]) -> list[Window]:
    """What to derive these meters from, so that all is known from that quarter hour on; none of who has no reading."""
    dialect = DIALECTS[connection.vendor]
    since = dialect["instant"].format(f"(quarter * {WIDTH})")
    statement = _WINDOWS.format(
        asked=", ".join([dialect["pair"]] * len(quarters)),
        since=since,
        heard=_HEARD.format(since=since),
        shown_since=dialect["instant"].format(
            f"({_SHOWN.format(quarter='around.quarter', lookback=LOOKBACK)} * {WIDTH})"
        ),
        begin=dialect["microseconds"].format("COALESCE(s.anchor, s.before, s.first)"),
        anchor=dialect["microseconds"].format("s.anchor"),
        strongest=STRONGEST_KW,
        weaker=STRONGEST_KW_OF_APARTMENT,
        width=WIDTH,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for pair in quarters.items() for value in pair])
        return [Window(*row) for row in cursor.fetchall()]
