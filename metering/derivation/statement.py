"""The statement that makes loads of readings: one pass over the readings of some meters, in the database.

An interval lies between two readings of a meter that follow each other. Its energy is, in this order:

- the step of the meter's own register, where it has one, however long the interval. The register's value is the
  highest since its last reset, so that a dip by a unit is neither lost nor counted again; one that falls below
  RESET of what it last showed was reset, rolled over or changed, and that interval has no step; nor has one in
  which it went on by more than any meter can;
- else the power integrated by trapezoid, where the interval is no longer than the maximum gap;
- else unknown: nothing.

A register that only some readings show counts for all intervals from one that does to the next: what it went on by
is shared out as the power says; of long intervals among them only the register knows, so the rest is theirs.

Exported energy is integrated alone. An interval that reaches over a quarter hour is cut there: a short one where
the integral of its power says, a long one in proportion to the time, and that part counts as bridged. A piece is
the difference of two rounded sums, so the pieces of an interval add up exactly.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import connection

from metering.derivation.dialects import DIALECTS, WIDTH
from metering.derivation.windows import Window
from metering.models import Load

RESET = 0.9
COARSE, FINE = 1.0, 0.1
"""kWh that a register may go on by at once: one that shows whole ones, and one that shows parts of them."""

# Above zero, of a power that goes from {a} to {b} in a straight line; per unit of time.
_ABOVE = (
    "(CASE WHEN {a} >= 0 AND {b} >= 0 THEN ({a} + {b}) / 2 WHEN {a} <= 0 AND {b} <= 0 THEN 0.0"
    " WHEN {a} > 0 THEN {a} * {a} / (2 * ({a} - {b})) ELSE {b} * {b} / (2 * ({b} - {a})) END)"
)
_BELOW = (
    "(CASE WHEN {a} <= 0 AND {b} <= 0 THEN -({a} + {b}) / 2 WHEN {a} >= 0 AND {b} >= 0 THEN 0.0"
    " WHEN {a} < 0 THEN {a} * {a} / (2 * ({b} - {a})) ELSE {b} * {b} / (2 * ({a} - {b})) END)"
)

# More than this no register goes on by, in kWh.
_JUMP = (
    f"CASE WHEN shown = ROUND(shown) AND shown0 = ROUND(shown0) THEN {COARSE} ELSE {FINE} END"
    " + strongest * (t - shown_at0) / 3.6e9"
)

# What follows needs of each reading the one before it, and of one that shows the register what that went on by since
# the last one that does (`gone`): n0 tells such stretches apart.
_AROUND = "t - t0 AS long, (t0 / {width} + 1) * {width} AS cut, t0 / {width} AS q0, (t - 1) / {width} AS q1"
_BY_REGISTER = """
counted AS (
    SELECT raw.*, COUNT(e) OVER (PARTITION BY meter ORDER BY t ROWS UNBOUNDED PRECEDING) AS n FROM raw
),
filled AS (
    SELECT counted.*, MAX(e) OVER (PARTITION BY meter, n) AS shown, MIN(t) OVER (PARTITION BY meter, n) AS shown_at
    FROM counted
),
followed AS (
    SELECT filled.*, LAG(t) OVER by_time AS t0, LAG(p) OVER by_time AS p0, LAG(n) OVER by_time AS n0,
        LAG(shown) OVER by_time AS shown0, LAG(shown_at) OVER by_time AS shown_at0
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
    SELECT highs.*, 1e9 * (high - LAG(high) OVER (PARTITION BY meter, run ORDER BY t)) AS gone,
        {around}
    FROM highs
)
"""
_STRETCHES = """
stretches AS (
    SELECT areas.*, MAX(CASE WHEN e IS NOT NULL THEN gone END) OVER stretch AS step, SUM(inside) OVER stretch AS known,
        SUM(CASE WHEN inside IS NULL THEN long END) OVER stretch AS missing, SUM(long) OVER stretch AS whole
    FROM areas WINDOW stretch AS (
        PARTITION BY meter, n0 ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
"""
# The same of meters whose register is not heard, in half the time.
_BY_POWER = """
highs AS MATERIALIZED (
    SELECT raw.*, LAG(t) OVER by_time AS t0, LAG(p) OVER by_time AS p0,
        CAST(NULL AS double precision) AS high
    FROM raw WINDOW by_time AS (PARTITION BY meter ORDER BY t)
),
steps AS (
    SELECT highs.*, {around} FROM highs
)
"""
_ALONE = """
stretches AS (
    SELECT areas.*, CAST(NULL AS double precision) AS step, 0.0 AS known, 0 AS missing, 0 AS whole FROM areas
)
"""

# Energies are in uWh: 3600 W us. {t} is the reading's microsecond.
_STATEMENT = """
WITH RECURSIVE windows(meter, since, high, strongest) AS (VALUES {windows}),
raw AS (
    SELECT w.meter, {t} AS t, r.power AS p, r.voltage AS v,
        r.energy_total AS e, CASE WHEN {t} = w.since THEN w.high END AS before, w.strongest
    FROM {readings}
),
{followed},
cuts AS MATERIALIZED (
    SELECT steps.*, CASE WHEN q1 = q0 THEN t ELSE cut END AS mid,
        CASE WHEN q1 = q0 THEN p ELSE p0 + (p - p0) * (cut - t0) / long END AS pm
    FROM steps WHERE t0 IS NOT NULL
),
halves AS MATERIALIZED (
    SELECT cuts.*, {above_first} * (mid - t0) / 3600 AS in0, {above_second} * (t - mid) / 3600 AS in1,
        {below_first} * (mid - t0) / 3600 AS out0, {below_second} * (t - mid) / 3600 AS out1
    FROM cuts
),
areas AS (
    SELECT halves.*, CASE WHEN long <= {gap} THEN in0 + in1 END AS inside FROM halves
),
{stretches},
shares AS MATERIALIZED (
    SELECT stretches.*, CASE
            WHEN inside IS NULL THEN (step - COALESCE(known, 0)) * long / missing
            WHEN step IS NULL OR (missing > 0 AND known <= step) THEN inside
            WHEN known > 0 THEN step * (inside / known)
            ELSE step * long / whole END AS total,
        CASE WHEN inside > 0 THEN in0 / inside ELSE 1.0 * (mid - t0) / long END AS share
    FROM stretches
),
totals AS (
    SELECT * FROM shares WHERE inside IS NOT NULL
),
bridges AS (
    SELECT meter, t0, t, long, total, q0 AS q, q1 FROM shares WHERE inside IS NULL AND total > 0
    UNION ALL SELECT meter, t0, t, long, total, q + 1, q1 FROM bridges WHERE q < q1
),
spans AS (
    SELECT bridges.*,
        CAST(ROUND(total * ({least}(t, (q + 1) * {width}) - t0) / long) AS bigint)
        - CAST(ROUND(total * ({greatest}(t0, q * {width}) - t0) / long) AS bigint) AS part
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
    SELECT meter, t / {width} AS q, high,
        ROW_NUMBER() OVER (PARTITION BY meter, t / {width} ORDER BY t DESC) AS place FROM highs WHERE e IS NOT NULL
)
SELECT s.meter, s.q, s.energy, s.exported, s.bridged, s.covered, s.samples,
    s.p_min, s.p_sum, s.p_max, s.v_min, s.v_sum, s.v_max, l.high
FROM summed s LEFT JOIN lasts l ON l.meter = s.meter AND l.q = s.q AND l.place = 1
ORDER BY s.meter, s.q
"""

# A seek for each meter. PostgreSQL, which cannot know how few readings there are since then, would read all of them:
# it may only look into the inner statement, as OFFSET 0 keeps the two apart.
_SEEKS = {
    "sqlite": "windows w JOIN metering_reading r ON r.meter_id = w.meter AND r.taken_at >= {since}",
    "postgresql": """windows w CROSS JOIN LATERAL (
        SELECT * FROM metering_reading r WHERE r.meter_id = w.meter AND r.taken_at >= {since} OFFSET 0
    ) r""",
}


def derive(windows: Sequence[Window]) -> Iterator[Load]:
    """The loads of these meters from these readings on, those of a meter in the order of time, not saved.

    The one in whose midst a window begins lacks what came before.
    """
    for followed, stretches, some in (
        (_BY_REGISTER, _STRETCHES, [window for window in windows if window.has_register]),
        (_BY_POWER, _ALONE, [window for window in windows if not window.has_register]),
    ):
        if some:
            statement = _STATEMENT.replace("{followed}", followed.strip().replace("{around}", _AROUND))
            yield from map(_load, _rows(statement.replace("{stretches}", stretches.strip()), some))


def _rows(template: str, windows: Sequence[Window]) -> Iterator[Any]:
    dialect = DIALECTS[connection.vendor]
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
        jump=_JUMP,
        gap=settings.MAX_GAP_SECONDS * 1_000_000,
        above_first=_ABOVE.format(a="p0", b="pm"),
        above_second=_ABOVE.format(a="pm", b="p"),
        below_first=_BELOW.format(a="p0", b="pm"),
        below_second=_BELOW.format(a="pm", b="p"),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for window in windows for value in window[:4]])
        yield from cursor


def _load(row: Sequence[Any]) -> Load:
    meter, quarter, energy, exported, bridged, covered, samples, *figures, high = row
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
    )


def _nearest(total: Any, divisor: Any) -> int:
    """The whole number nearest to total / divisor, of whole numbers, without floating point."""
    # PostgreSQL's sums of whole numbers are decimals.
    return (2 * int(total) + int(divisor)) // (2 * int(divisor))
