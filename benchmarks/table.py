"""The one table that all benchmarks write into."""

import os
import platform
import sqlite3
import statistics
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

COLUMNS = "  {:46} {:>14} {:>25} {:>7}  {}"


def heading() -> None:
    """What was measured with, and the names of the columns."""
    print(f"Riser's benchmarks: {_machine()}")
    print(f"{_versions()}")
    print(COLUMNS.format("", "median", "least to most", "ratio", "ratio to what"))


def section(text: str) -> None:
    """What the rows below measure."""
    print(f"{text}", flush=True)


def row(what: str, values: Sequence[float], unit: str, ratio: float | None = None, to_what: str = "") -> None:
    """One measured thing: its median of all runs, its spread, and a ratio."""
    spread = f"{_figure(min(values))} to {_figure(max(values))}" if len(values) > 1 else ""
    shown = "" if ratio is None else f"{ratio:.2f}"
    print(COLUMNS.format(what, f"{_figure(statistics.median(values))} {unit}", spread, shown, to_what), flush=True)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    name = cpu.partition(": ")[2] or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{os.cpu_count()} x {name}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _versions() -> str:
    ours = ", ".join(f"{package} {version(package)}" for package in ("Django", "paho-mqtt", "psycopg"))
    return f"Python {platform.python_version()}, {ours}, SQLite {sqlite3.sqlite_version}, {_mosquitto()}, {_postgres()}"


def _mosquitto() -> str:
    said = subprocess.run(["/usr/sbin/mosquitto", "-h"], capture_output=True, text=True).stdout
    return said.partition("\n")[0].replace(" version", "")


def _postgres() -> str:
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not servers:
        return "no PostgreSQL"
    said = subprocess.run([servers[-1], "--version"], capture_output=True, text=True).stdout
    return f"PostgreSQL {said.split()[2]}"


if __name__ == "__main__":
    heading()
