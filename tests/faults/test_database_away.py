"""The database cannot be written: another writer, no room, a read-only file system."""

import os
import shutil
import subprocess
import time

import pytest

from tests.databases import SqliteDatabase
from tests.waiting import wait_for

pytestmark = pytest.mark.fault

MEMORY = 150
"""MiB"""
on_files = pytest.mark.sqlite


@pytest.mark.timeout(180)
def test_another_writer_for_a_minute(trial):
    readings = 30_000
    listener = trial.listen()
    publisher = trial.stream(range(readings), rate=500)
    trial.wait_until_stored(1000)
    with trial.house.locked():
        trial.faults += 1
        until = time.monotonic() + 60
        wait_for(lambda: time.monotonic() > until, "a minute has passed", 70)
        trial.note_memory(listener)
    publisher.finish()
    trial.finish(readings, listener)
    assert listener.said.count("database not available") == 1
    assert listener.said.count("connected to the broker at") == 1, "the broker was not left alone"
    assert trial.peak < MEMORY


class Disk:
    """A small file system of the test's own."""

    def __init__(self, folder, mebibytes):
        self.folder = folder
        self._run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder))

    def remount(self, how):
        self._run("mount", "-o", f"remount,{how}", str(self.folder))

    def fill(self):
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            while self.room():
                filler.write(b"\0" * min(4096, self.room()))

    def room(self):
        return shutil.disk_usage(self.folder).free

    def empty(self):
        (self.folder / "filler").unlink()

    def leave(self):
        # Lazily: the processes that have files open on it end later.
        self._run("umount", "--lazy", str(self.folder))

    def _run(self, *command):
        subprocess.run(command, check=True, timeout=20)


@pytest.fixture
def disk(trial, tmp_path):
    """The installation's database is on a file system of 8 MiB."""
    if os.geteuid():
        pytest.fail("This test mounts a file system of its own: run it as root.")
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = Disk(folder, 8)
    trial.house.database = SqliteDatabase(shutil.move(trial.house.database.file, folder / "riser.sqlite3"))
    trial.house.env["DATABASE_URL"] = trial.house.database.url
    yield disk
    disk.leave()


def is_sound(house):
    return house.query("PRAGMA integrity_check") == [("ok",)]


@on_files
@pytest.mark.timeout(120)
def test_disk_full(trial, disk):
    readings = 8_000
    first = trial.listen()
    trial.publish(range(2_000))
    trial.wait_until_stored(2_000)
    disk.fill()
    trial.faults += 1
    trial.publish(range(2_000, readings))
    first.wait_until_it_says("database not available (database or disk is full)")
    trial.kill(first)
    second = trial.start_listener()
    second.wait_until_it_says("database not available")
    disk.empty()
    second.wait_until_it_says("database available again")
    trial.finish(readings, second)
    assert is_sound(trial.house)


@on_files
@pytest.mark.timeout(120)
def test_read_only_file_system(trial, disk):
    readings = 4_000
    before = trial.listen()
    trial.publish(range(2_000))
    trial.wait_until_stored(2_000)
    # Killed, it leaves the files beside the database, and SQLite opens what it cannot write.
    trial.kill(before)
    disk.remount("ro")
    trial.publish(range(2_000, readings))
    first = trial.start_listener()
    first.wait_until_it_says("database not available (attempt to write a readonly database)")
    trial.kill(first)
    second = trial.start_listener()
    second.wait_until_it_says("database not available (attempt to write a readonly database)")
    disk.remount("rw")
    second.wait_until_it_says("database available again")
    trial.finish(readings, second)
    assert is_sound(trial.house)
