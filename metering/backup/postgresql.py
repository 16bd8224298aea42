"""Copies of a PostgreSQL database with PostgreSQL's own programs, and the way back."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from django.db import connection

from metering.backup.errors import BackupError

SUFFIX = ".dump"
MAGIC = b"PGDMP"
# libpq's names for what Django calls otherwise. Passed in the environment: arguments can be seen by everybody.
VARIABLES = {
    "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD", "host": "PGHOST", "port": "PGPORT",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
}  # fmt: skip


def copy_to(path: Path) -> None:
    """Copy the database into this file: one snapshot, whatever is stored meanwhile."""
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={path}")


def check(path: Path) -> str:
    """Read the copy's table of contents; what is in it, in words. Raises BackupError where it is not whole."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupError(f"{path} is no copy that pg_dump has made.")
    # Reads the file to its end, which a table of contents alone would not.
    _run("pg_restore", "--file=/dev/null", str(path))
    contents = _run("pg_restore", "--list", str(path))
    if "TABLE DATA public metering_reading " not in contents:
        raise BackupError(f"{path} is no copy of Riser's database: it has no table metering_reading.")
    return f"{contents.count(' TABLE DATA ')} tables, readable to the end"


def migrations_in(path: Path) -> set[tuple[str, str]]:
    """App and name of each migration a copy has been through."""
    script = _run("pg_restore", "--data-only", "--table=django_migrations", "--file=-", str(path))
    rows = (line.split("\t") for line in script.splitlines() if line.count("\t") == 3)
    return {(app, name) for _, app, name, _ in rows}


def replace_with(path: Path, forget: list[str]) -> None:
    """Put the copy in the database's place, and run these statements on it: one transaction."""
    tables = ", ".join(connection.ops.quote_name(name) for name in connection.introspection.table_names())
    connection.close()
    psql = [_find("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]
    copy = [_find("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(path)]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(psql, env=_environment(), stdin=subprocess.PIPE, stderr=said) as target,
    ):
        script = target.stdin
        assert script is not None
        with contextlib.suppress(BrokenPipeError), script:
            # Not --single-transaction: psql would commit whatever it got until this process was killed. It
            # commits where it is told to, which only a whole copy is followed by.
            script.write(b"BEGIN;\n")
            script.write(f"DROP TABLE IF EXISTS {tables} CASCADE;\n".encode() if tables else b"")
            with subprocess.Popen(copy, stdout=subprocess.PIPE, stderr=said) as source:
                assert source.stdout is not None
                shutil.copyfileobj(source.stdout, script)
            if source.returncode:
                # Without COMMIT it would end well, having done nothing.
                target.kill()
            # pg_restore empties the search path for the rest of the session.
            script.write(f"SET search_path TO public;\n{';'.join(forget)};\nCOMMIT;\n".encode())
        if target.wait() or source.returncode:
            said.seek(0)
            raise BackupError(f"Nothing was restored. {said.read().decode(errors='replace').strip()}")


def _run(program: str, *arguments: str) -> str:
    """What it printed. Raises BackupError with its first complaint."""
    result = subprocess.run(
        [_find(program), *arguments], env=_environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        said = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise BackupError(f"{program}: {said[0].removeprefix(f'{program}: error: ')}")
    return result.stdout


def _find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise BackupError(f"{program} is missing: apt-get install postgresql-client")
    return path


def _environment() -> dict[str, str]:
    parameters = connection.get_connection_params()
    ours = {variable: str(parameters[name]) for name, variable in VARIABLES.items() if parameters.get(name)}
    return os.environ | ours
