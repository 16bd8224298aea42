"""How long the listener waits inside the database: there it hears neither its broker nor SIGTERM."""

from typing import Any

LOCK_SECONDS = 2
"""For a lock that somebody else holds."""
STATEMENT_SECONDS = 10
DEAD_SECONDS = 10
"""For a server that has vanished without a word."""

POSTGRESQL = f" -c lock_timeout={LOCK_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s"


def bound_waiting(vendor: str, options: dict[str, Any]) -> None:
    """Change a database's OPTIONS; connections made from then on fail where they would wait longer."""
    if vendor == "sqlite":
        options["timeout"] = LOCK_SECONDS
        return
    options["options"] = options.get("options", "").removesuffix(POSTGRESQL) + POSTGRESQL
    options["connect_timeout"] = DEAD_SECONDS
    options["tcp_user_timeout"] = DEAD_SECONDS * 1000
    options |= {"keepalives_idle": DEAD_SECONDS // 2, "keepalives_interval": 1, "keepalives_count": DEAD_SECONDS // 2}
