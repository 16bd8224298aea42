import socket

import pytest

from metering.ingest.notify import notify


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listening


def test_it_tells_systemd(systemd):
    notify("READY=1")
    assert systemd.recv(100) == b"READY=1"


def test_a_systemd_that_does_not_read_holds_nothing_up(systemd):
    for _ in range(2000):
        notify("WATCHDOG=1")


def test_a_systemd_that_is_gone_ends_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    notify("WATCHDOG=1")


def test_it_is_silent_where_nobody_listens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
