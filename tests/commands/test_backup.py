"""Copies of the database made while readings come in, and the way back."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from metering.models.instant import to_microseconds
from tests.fakes import NOON
from tests.installation import PROJECT
from tests.waiting import wait_for

ON_SQLITE = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")


@pytest.fixture
def house(installation):
    installation.make_house("101", "201")
    return installation


@pytest.fixture
def copies(tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder


def refused(house, *arguments, file_limit="unlimited"):
    """What a command says that does not do what it was told; `file_limit` in blocks of 1024 bytes."""
    command = f"ulimit -f {file_limit}; exec {sys.executable} manage.py " + '"$@"'
    result = subprocess.run(
        ["bash", "-c", command, "bash", *map(str, arguments)],
        cwd=PROJECT, env=house.env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr


def count(house):
    return house.query("SELECT count(*) FROM metering_reading")[0][0]


def add_readings(house, number):
    """Readings that no listener knows of."""
    (meter,), *_ = house.query("SELECT id FROM metering_meter ORDER BY id")
    newest = house.query("SELECT coalesce(max(id), 0) FROM metering_reading")[0][0]
    at = f"{to_microseconds(NOON)} + 1000000 * i" if ON_SQLITE else f"timestamptz '{NOON}' + interval '1 s' * i"
    house.execute(
        f"WITH RECURSIVE n(i) AS (SELECT {newest} UNION ALL SELECT i + 1 FROM n WHERE i < {newest + number - 1})"
        " INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)"
        f" SELECT {meter}, {at}, 230.5, 1.25, 288.125, '' FROM n"
    )


def only(folder, pattern="riser-*"):
    (file,) = folder.glob(pattern)
    return file


def test_a_copy_made_under_load_is_consistent_and_can_be_restored(house, copies):
    listener = house.start_listener()
    meters = house.start("simulate_meters", "--building", "house", "--interval", "0.005")
    wait_for(lambda: count(house) > 50, "readings come in")
    before = count(house)
    said = house.manage("backup", str(copies))
    after = count(house)
    wait_for(lambda: count(house) > after, "readings still come in")
    for process in (meters, listener):
        process.signal(signal.SIGTERM)
        process.wait()
    copy = only(copies)
    assert str(copy) in said
    assert copy.stat().st_mode & 0o777 == 0o600
    house.manage("restore", "--yes", str(copy))
    assert before <= count(house) <= after
    ((stored, received, duplicates, refused_),) = house.query(
        "SELECT stored, received, duplicates, rejected FROM metering_listenerstate"
    )
    assert stored == count(house) == received - duplicates - refused_


@pytest.mark.sqlite
def test_a_copy_of_sqlite_is_one_whole_file(house, copies):
    house.start_listener()
    house.start("simulate_meters", "--building", "house", "--interval", "0.005")
    wait_for(lambda: count(house) > 50, "readings come in")
    said = house.manage("backup", str(copies / "copy.sqlite3"))
    with contextlib.closing(sqlite3.connect(copies / "copy.sqlite3")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copy.execute("PRAGMA foreign_key_check").fetchall() == []
        (readings,) = copy.execute("SELECT count(*) FROM metering_reading").fetchone()
    assert f"{readings:,} readings, integrity ok" in said
    assert [file.name for file in copies.iterdir()] == ["copy.sqlite3"]


def test_restoring_keeps_what_it_replaces(house, copies):
    add_readings(house, 10)
    house.manage("backup", str(copies / "ten"))
    add_readings(house, 5)
    said = house.manage("restore", "--yes", str(copies / "ten"))
    assert count(house) == 10
    kept = only(copies, "riser-before-restore-*")
    assert str(kept) in said
    house.manage("restore", "--yes", str(kept))
    assert count(house) == 15


def test_restoring_forgets_packet_ids_and_logins(house, copies, broker):
    listener = house.start_listener()
    broker.publish("electricity/house/floor/101", '{"voltage": 230, "current": 2}')
    wait_for(lambda: count(house) == 1, "the reading is stored")
    listener.signal(signal.SIGTERM)
    listener.wait()
    expires = "'2999-01-01'"
    house.execute(f"INSERT INTO django_session VALUES ('key', 'data', {expires})")
    assert house.query("SELECT count(*) FROM metering_journalpage") == [(1,)]
    house.manage("backup", str(copies / "copy"))
    house.manage("restore", "--yes", str(copies / "copy"))
    assert house.query("SELECT count(*) FROM metering_journalpage") == [(0,)]
    assert house.query("SELECT count(*) FROM django_session") == [(0,)]
    assert count(house) == 1


def test_nothing_is_restored_under_a_listener(house, copies):
    house.manage("backup", str(copies / "copy"))
    house.start_listener()
    wait_for(lambda: house.query("SELECT 1 FROM metering_listenerstate"), "the listener's row")
    said = refused(house, "restore", "--yes", copies / "copy")
    assert "is listening. Stop Riser first" in said
    assert "systemctl stop riser-web riser-listener" in said


def test_nothing_is_restored_without_being_asked(house, copies):
    house.manage("backup", str(copies / "copy"))
    assert "Say --yes" in refused(house, "restore", copies / "copy")


def test_a_copy_of_a_newer_riser_is_refused(house, copies):
    house.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('metering', '9999_new', '2030-01-01')")
    house.manage("backup", str(copies / "copy"))
    house.execute("DELETE FROM django_migrations WHERE name = '9999_new'")
    said = refused(house, "restore", "--yes", copies / "copy")
    assert "made by a newer Riser (migration metering 9999_new). Install that version first." in said


def test_a_file_that_is_no_copy_is_refused(house, copies):
    (copies / "text").write_text("not a database")
    said = refused(house, "restore", "--yes", copies / "text")
    assert ("is no copy of an SQLite database" if ON_SQLITE else "is no copy that pg_dump has made") in said
    assert f"There is no file {copies}/nothing." in refused(house, "restore", "--yes", copies / "nothing")


def test_a_damaged_copy_is_refused(house, copies):
    add_readings(house, 5000)
    house.manage("backup", str(copies / "copy"))
    whole = (copies / "copy").read_bytes()
    (copies / "cut").write_bytes(whole[: len(whole) * 2 // 3])
    refused(house, "restore", "--yes", copies / "cut")
    assert count(house) == 5000
    assert [file.name for file in copies.glob("riser-before-*")] == []


def test_a_file_that_is_there_is_not_replaced_unasked(house, copies):
    house.manage("backup", str(copies / "copy"))
    assert "copy is there already. Name another file, or say --force." in refused(house, "backup", copies / "copy")
    house.manage("backup", "--force", str(copies / "copy"))
    assert f"There is no folder {copies}/nowhere." in refused(house, "backup", copies / "nowhere/copy")


def test_only_the_newest_dated_copies_are_kept(house, copies):
    suffix = ".sqlite3" if ON_SQLITE else ".dump"
    old = [copies / f"riser-2026-01-0{day}-000000{suffix}" for day in (1, 2, 3)]
    others = [copies / f"riser-before-restore-2026-01-01-000000{suffix}", copies / "notes.txt"]
    for file in (*old, *others):
        file.touch()
    house.manage("backup", "--keep", "2", str(copies))
    left = {file.name for file in copies.iterdir()}
    assert left >= {old[2].name, *(file.name for file in others)}
    assert len(left) == 4
    assert re.fullmatch(rf"riser-\d{{4}}-\d\d-\d\d-\d{{6}}{suffix}", max(left - {file.name for file in others}))


def test_a_full_disk_leaves_no_half_copy(house, copies):
    add_readings(house, 20_000)
    said = refused(house, "backup", copies / "copy", file_limit=64)
    assert (f"The copy {copies}/copy could not be made: " if ON_SQLITE else "pg_dump") in said
    assert list(copies.iterdir()) == []


@pytest.mark.sqlite
def test_killed_while_restoring_it_leaves_the_old_database_or_the_new_one(house, copies):
    readings = 400_000  # more than fits into SQLite's cache: the log grows long before the end
    add_readings(house, readings)
    house.manage("backup", str(copies / "large"))
    house.execute("DELETE FROM metering_reading WHERE id > 3")
    log = Path(f"{house.database.file}-wal")

    def kill_when(log_reaches):
        house.query("PRAGMA wal_checkpoint(TRUNCATE)")
        process = house.start("restore", "--yes", str(copies / "large"))
        wait_for(lambda: process.has_ended or (log.exists() and log.stat().st_size >= log_reaches), "it writes")
        process.signal(signal.SIGKILL)
        process.wait()
        assert house.query("PRAGMA integrity_check") == [("ok",)]
        return count(house)

    assert kill_when(log_reaches=1) == 3
    assert kill_when(log_reaches=10_000_000) in (3, readings)
    house.manage("restore", "--yes", str(copies / "large"))
    assert count(house) == readings


@pytest.mark.sqlite
def test_the_database_itself_is_never_replaced_by_its_copy(house):
    inode = house.database.file.stat().st_ino
    assert "is the database itself" in refused(house, "backup", "--force", house.database.file)
    assert house.database.file.stat().st_ino == inode


@pytest.mark.sqlite
@pytest.mark.timeout(180)
def test_a_database_that_another_process_writes_to_is_not_waited_for_for_ever(house, copies):
    house.manage("backup", str(copies / "copy"))
    with house.locked():
        said = refused(house, "restore", "--yes", copies / "copy")
    assert "another process keeps writing to the database" in said


@pytest.mark.sqlite
def test_no_room_for_restoring_is_said_and_changes_nothing(house, copies):
    add_readings(house, 20_000)
    house.manage("backup", str(copies / "large"))
    house.execute("DELETE FROM metering_reading")
    house.execute("VACUUM")
    # The present database still fits, the one to be restored does not.
    kilobytes = house.database.file.stat().st_size // 1024 + 64
    said = refused(house, "restore", "--yes", copies / "large", file_limit=kilobytes)
    assert "Nothing was restored: " in said
    assert count(house) == 0
    assert not list(house.database.file.parent.glob(".riser-restoring*"))


def test_the_tables_to_be_replaced_may_be_those_of_another_version(house, copies):
    house.manage("backup", str(copies / "copy"))
    house.execute("ALTER TABLE metering_listenerstate DROP COLUMN batches")
    house.manage("restore", "--yes", str(copies / "copy"))
    assert house.query("SELECT count(batches) FROM metering_listenerstate") == [(0,)]


def test_the_newest_copy_stays_where_the_clock_went_back(house, copies):
    ahead = copies / f"riser-2099-01-01-000000{'.sqlite3' if ON_SQLITE else '.dump'}"
    ahead.touch()
    house.manage("backup", "--keep", "1", str(copies))
    assert only(copies) != ahead


@pytest.mark.postgres
def test_killed_after_part_of_the_copy_nothing_is_committed(house, copies, tmp_path):
    add_readings(house, 10)
    house.manage("backup", str(copies / "ten"))
    add_readings(house, 5)
    # A pg_restore that is slow after half of the copy: whole statements, in one of the pieces they are passed on in.
    program = tmp_path / "pg_restore"
    program.write_text(
        f"""#!{sys.executable}
import os, subprocess, sys, time
parent = os.getppid()
real = {shutil.which("pg_restore")!r}
if "--no-owner" not in sys.argv:
    os.execv(real, [real, *sys.argv[1:]])
script = subprocess.run([real, *sys.argv[1:]], capture_output=True).stdout
half = script[: script.index(b"\\nCOPY ") + 1]
padding = -len(half) % 65536
sys.stdout.buffer.write(b"\\n" * padding + half)
sys.stdout.flush()
while os.getppid() == parent:
    time.sleep(0.05)
"""
    )
    program.chmod(0o755)
    process = house.start("restore", "--yes", str(copies / "ten"), PATH=f"{tmp_path}:{os.environ['PATH']}")
    session = "SELECT query FROM pg_stat_activity WHERE application_name = 'psql' AND datname = current_database()"
    wait_for(
        lambda: any("CREATE TABLE" in query or "ALTER" in query for (query,) in house.query(session)), "psql works"
    )
    process.signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not house.query(session), "psql ends, too")
    assert count(house) == 15
