"""The statement that makes loads of readings: one pass over the readings of some meters, in the database.

An interval lies between two readings of a meter that follow each other. Its energy is, in this order:

- the step of the meter's own register, where it has one, however long the interval. The register's value is the
  highest since its last reset, so that a dip by a unit is neither lost nor counted again; one that falls below
  RESET of what it last showed was reset, rolled over or changed, and that interval has no step; nor has one in
  which it went on by more than any meter can;
- else the power integrated by trapezoid, where the interval is no longer than the maximum gap;
- else unknown: nothing.

Exported energy is integrated alone. An interval that reaches over a quarter hour is cut there: a short one where
the integral of its power says, a long one, of which only the register knows, in proportion to the time, and that
part counts as bridged. A piece is the difference of two rounded sums, so pieces add up exactly.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import connection

from metering.models import Load

RESET = 0.9
COARSEST = 1.0
"""kWh that a register may go on by at once: some show whole ones only."""
STRONGEST_KW = 1000.0
"""No meter of a building passes more: what goes on faster was exchanged, or shows itself again after a restart."""
FEW = 10
WIDTH = 900_000_000
"""A quarter hour, in microseconds."""
Window = tuple[int, int, float | None, float | None]
"""A meter, the microsecond of the reading to begin with, and the register's highest and last value up to there."""

# Above zero, of a power that goes from {a} to {b} in a straight line; per unit of time.
_ABOVE = (
    "(CASE WHEN {a} >= 0 AND {b} >= 0 THEN ({a} + {b}) / 2 WHEN {a} <= 0 AND {b} <= 0 THEN 0.0"
    " WHEN {a} > 0 THEN {a} * {a} / (2 * ({a} - {b})) ELSE {b} * {b} / (2 * ({b} - {a})) END)"
)
_BELOW = (
    "(CASE WHEN {a} <= 0 AND {b} <= 0 THEN -({a} + {b}) / 2 WHEN {a} >= 0 AND {b} >= 0 THEN 0.0"
    " WHEN {a} < 0 THEN {a} * {a} / (2 * ({b} - {a})) ELSE {b} * {b} / (2 * ({a} - {b})) END)"
)

# What follows needs of each reading the one before it, and what the register went on by since then.
_AROUND = "t - t0 AS long, (t0 / {width} + 1) * {width} AS cut, t0 / {width} AS q0, (t - 1) / {width} AS q1"
_BY_REGISTER = """
counted AS (
    SELECT raw.*, COUNT(e) OVER (PARTITION BY meter ORDER BY t ROWS UNBOUNDED PRECEDING) AS n FROM raw
),
filled AS (
    SELECT counted.*, MAX(e) OVER (PARTITION BY meter, n) AS shown FROM counted
),
followed AS (
    SELECT filled.*, LAG(t) OVER by_time AS t0, LAG(p) OVER by_time AS p0, LAG(shown) OVER by_time AS shown0
    FROM filled WINDOW by_time AS (PARTITION BY meter ORDER BY t)
),
runs AS (
    SELECT followed.*, SUM(CASE WHEN shown < {reset} * shown0 OR shown - shown0 > {jump} THEN 1 ELSE 0 END)
        OVER (PARTITION BY meter ORDER BY t ROWS UNBOUNDED PRECEDING) AS run
    FROM followed
),
highs AS MATERIALIZED (
    SELECT runs.*,
        MAX(COALESCE(before, shown)) OVER (PARTITION BY meter, run ORDER BY t ROWS UNBOUNDED PRECEDING) AS high
    FROM runs
),
steps AS (
    SELECT highs.*, 1e9 * (high - LAG(high) OVER (PARTITION BY meter, run ORDER BY t)) AS step,
        {around}
    FROM highs
)
"""
# The same of meters whose register is not heard, in half the time.
_BY_POWER = """
highs AS MATERIALIZED (
    SELECT raw.*, LAG(t) OVER by_time AS t0, LAG(p) OVER by_time AS p0,
        CAST(NULL AS double precision) AS high, CAST(NULL AS double precision) AS shown
    FROM raw WINDOW by_time AS (PARTITION BY meter ORDER BY t)
),
steps AS (
    SELECT highs.*, CAST(NULL AS double precision) AS step,
        {around}
    FROM highs
)
"""

# Energies are in uWh: 3600 W us. {t} is the reading's microsecond.
_STATEMENT = """
WITH RECURSIVE windows(meter, since, high, shown) AS (VALUES {windows}),
raw AS (
    SELECT w.meter, {t} AS t, r.power AS p, r.voltage AS v,
        CASE WHEN {t} = w.since THEN COALESCE(w.shown, r.energy_total) ELSE r.energy_total END AS e,
        CASE WHEN {t} = w.since THEN w.high END AS before
    FROM {readings}
),
{followed},
cuts AS MATERIALIZED (
    SELECT steps.*, CASE WHEN q1 = q0 THEN t ELSE cut END AS mid,
        CASE WHEN q1 = q0 THEN p ELSE p0 + (p - p0) * (cut - t0) / long END AS pm
    FROM steps WHERE t0 IS NOT NULL
),
areas AS (
    SELECT cuts.*, {above_first} * (mid - t0) / 3600 AS in0, {above_second} * (t - mid) / 3600 AS in1,
        {below_first} * (mid - t0) / 3600 AS out0, {below_second} * (t - mid) / 3600 AS out1
    FROM cuts WHERE long <= {gap}
),
totals AS MATERIALIZED (
    SELECT areas.*, CASE WHEN step IS NULL THEN in0 + in1 ELSE step END AS total,
        CASE WHEN in0 + in1 > 0 THEN in0 / (in0 + in1) ELSE 1.0 * (mid - t0) / long END AS share
    FROM areas
),
bridges AS (
    SELECT meter, t0, t, long, step, q0 AS q, q1 FROM cuts WHERE long > {gap} AND step > 0
    UNION ALL SELECT meter, t0, t, long, step, q + 1, q1 FROM bridges WHERE q < q1
),
spans AS (
    SELECT bridges.*,
        CAST(ROUND(step * ({least}(t, (q + 1) * {width}) - t0) / long) AS bigint)
        - CAST(ROUND(step * ({greatest}(t0, q * {width}) - t0) / long) AS bigint) AS part
    FROM bridges
),
pieces AS (
    SELECT meter, q0 AS q, CAST(ROUND(total * share) AS bigint) AS energy, CAST(ROUND(out0) AS bigint) AS exported,
        0 AS bridged, mid - t0 AS covered, 0 AS samples, CAST(NULL AS bigint) AS p, CAST(NULL AS bigint) AS v
    FROM totals
    UNION ALL
    SELECT meter, q1, CAST(ROUND(total) AS bigint) - CAST(ROUND(total * share) AS bigint), CAST(ROUND(out1) AS bigint),
        0, t - mid, 0, NULL, NULL FROM totals WHERE q1 > q0
    UNION ALL
    SELECT meter, q, part, 0, part, 0, 0, NULL, NULL FROM spans
    UNION ALL
    SELECT meter, t / {width}, 0, 0, 0, 0, 1, CAST(ROUND(p) AS bigint), CAST(ROUND(10 * v) AS bigint) FROM raw
),
summed AS (
    SELECT meter, q, SUM(energy) AS energy, SUM(exported) AS exported, SUM(bridged) AS bridged, SUM(covered) AS covered,
        SUM(samples) AS samples, MIN(p) AS p_min, SUM(p) AS p_sum, MAX(p) AS p_max,
        MIN(v) AS v_min, SUM(v) AS v_sum, MAX(v) AS v_max
    FROM pieces GROUP BY meter, q
),
lasts AS (
    SELECT meter, t / {width} AS q, high, shown,
        ROW_NUMBER() OVER (PARTITION BY meter, t / {width} ORDER BY t DESC) AS place FROM highs
)
SELECT s.meter, s.q, s.energy, s.exported, s.bridged, s.covered, s.samples,
    s.p_min, s.p_sum, s.p_max, s.v_min, s.v_sum, s.v_max, l.high, l.shown
FROM summed s LEFT JOIN lasts l ON l.meter = s.meter AND l.q = s.q AND l.place = 1
ORDER BY s.meter, s.q
"""

# Meters that said what their register shows.
_HEARD = """
WITH windows(meter, since, high, shown) AS (VALUES {windows})
SELECT w.meter FROM windows w WHERE (
    SELECT 1 FROM metering_reading r WHERE r.meter_id = w.meter AND r.taken_at >= {since} AND r.energy_total IS NOT NULL
    LIMIT 1
) IS NOT NULL
"""

# Where to begin: the last reading before that quarter hour, else the first one in it. The load of the quarter hour
# in which it lies says what the register had shown by then.
_WINDOWS = """
WITH asked(meter, quarter) AS (VALUES {asked}),
around AS (
    SELECT meter, (SELECT MAX(r.taken_at) FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at < {since})
        AS before, (SELECT MIN(r.taken_at) FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at >= {since})
        AS first
    FROM asked
)
SELECT r.meter, {before}, {first}, l.register, COALESCE(l.register_shown, l.register)
FROM around r LEFT JOIN metering_load l ON l.meter_id = r.meter AND l.quarter = {before} / {width}
WHERE r.before IS NOT NULL OR r.first IS NOT NULL
"""

_BEFORE = """
WITH asked(meter, instant) AS (VALUES {asked})
SELECT meter, (SELECT {t} FROM metering_reading r WHERE r.meter_id = meter AND r.taken_at < {since}
    ORDER BY r.taken_at DESC LIMIT 1) FROM asked
"""

# A seek for each meter. PostgreSQL, which cannot know how few readings there are since then, would read all of them:
# it may only look into the inner statement, as OFFSET 0 keeps the two apart.
_SEEKS = {
    "sqlite": "windows w JOIN metering_reading r ON r.meter_id = w.meter AND r.taken_at >= {since}",
    "postgresql": """windows w CROSS JOIN LATERAL (
        SELECT * FROM metering_reading r WHERE r.meter_id = w.meter AND r.taken_at >= {since} OFFSET 0
    ) r""",
}

_DIALECTS = {
    "sqlite": {
        "microseconds": "{}",
        "instant": "{}",
        "least": "MIN",
        "greatest": "MAX",
        "window": "(%s, %s, %s, %s)",
        "pair": "(%s, %s)",
    },
    "postgresql": {
        "microseconds": "CAST(EXTRACT(EPOCH FROM {}) * 1000000 AS bigint)",
        "instant": "(timestamptz 'epoch' + {} * interval '1 microsecond')",
        "least": "LEAST",
        "greatest": "GREATEST",
        "window": "(%s::bigint, %s::bigint, %s::double precision, %s::double precision)",
        "pair": "(%s::bigint, %s::bigint)",
    },
}


def reading_before(firsts: dict[int, int]) -> dict[int, int | None]:
    """Of each of these meters the last reading before that microsecond, in microseconds; None where there is none."""
    dialect = _DIALECTS[connection.vendor]
    statement = _BEFORE.format(
        asked=", ".join([dialect["pair"]] * len(firsts)),
        t=dialect["microseconds"].format("r.taken_at"),
        since=dialect["instant"].format("instant"),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for pair in firsts.items() for value in pair])
        return dict(cursor.fetchall())


def windows_from(quarters: dict[int, int]) -> list[Window]:
    """What to derive these meters from, so that all is known from that quarter hour on; none of who has no reading."""
    dialect = _DIALECTS[connection.vendor]
    statement = _WINDOWS.format(
        asked=", ".join([dialect["pair"]] * len(quarters)),
        since=dialect["instant"].format(f"(quarter * {WIDTH})"),
        before=dialect["microseconds"].format("r.before"),
        first=dialect["microseconds"].format("r.first"),
        width=WIDTH,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for pair in quarters.items() for value in pair])
        rows = cursor.fetchall()
    return [
        (meter, first, None, None) if before is None else (meter, before, register, shown)
        for meter, before, first, register, shown in rows
    ]


def derive(windows: Sequence[Window]) -> Iterator[Load]:
    """The loads of these meters from these readings on, those of a meter in the order of time, not saved.

    The one in whose midst a window begins lacks what came before.
    """
    # To ask takes longer than it saves, where there are few.
    counting = _with_register(windows) if len(windows) > FEW else {window[0] for window in windows}
    for followed, some in (
        (_BY_REGISTER, [window for window in windows if window[0] in counting]),
        (_BY_POWER, [window for window in windows if window[0] not in counting]),
    ):
        if some:
            statement = _STATEMENT.replace("{followed}", followed.strip().replace("{around}", _AROUND))
            yield from map(_load, _rows(statement, some))


def _with_register(windows: Sequence[Window]) -> set[int]:
    """The meters whose register was heard, in these windows or just before them."""
    before = {meter for meter, _, high, _ in windows if high is not None}
    others = [window for window in windows if window[0] not in before]
    return before | {meter for (meter,) in _rows(_HEARD, others)} if others else before


def _rows(template: str, windows: Sequence[Window]) -> Iterator[Any]:
    dialect = _DIALECTS[connection.vendor]
    since = dialect["instant"].format("w.since")
    statement = template.format(
        t=dialect["microseconds"].format("r.taken_at"),
        since=since,
        readings=_SEEKS[connection.vendor].format(since=since),
        least=dialect["least"],
        greatest=dialect["greatest"],
        windows=", ".join([dialect["window"]] * len(windows)),
        width=WIDTH,
        reset=RESET,
        jump=f"{COARSEST} + {STRONGEST_KW} * (t - t0) / 3.6e9",
        gap=settings.MAX_GAP_SECONDS * 1_000_000,
        above_first=_ABOVE.format(a="p0", b="pm"),
        above_second=_ABOVE.format(a="pm", b="p"),
        below_first=_BELOW.format(a="p0", b="pm"),
        below_second=_BELOW.format(a="pm", b="p"),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for window in windows for value in window])
        yield from cursor


def _load(row: Sequence[Any]) -> Load:
    meter, quarter, energy, exported, bridged, covered, samples, *figures, high, shown = row
    p_min, p_sum, p_max, v_min, v_sum, v_max = figures
    return Load(
        meter_id=meter,
        quarter=quarter,
        energy=_nearest(energy, 1000),
        exported=_nearest(exported, 1000),
        bridged=_nearest(bridged, 1000),
        covered=_nearest(covered, 1_000_000),
        samples=int(samples),
        power_min=p_min,
        power_mean=_nearest(p_sum, samples) if samples else None,
        power_max=p_max,
        voltage_min=v_min,
        voltage_mean=_nearest(v_sum, samples) if samples else None,
        voltage_max=v_max,
        register=high,
        register_shown=None if shown == high else shown,
    )


def _nearest(total: Any, divisor: Any) -> int:
    """The whole number nearest to total / divisor, of whole numbers, without floating point."""
    # PostgreSQL's sums of whole numbers are decimals.
    return (2 * int(total) + int(divisor)) // (2 * int(divisor))
