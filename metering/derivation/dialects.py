"""How the two databases say the same."""

WIDTH = 900_000_000
"""A quarter hour, in microseconds."""
DIALECTS = {
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
