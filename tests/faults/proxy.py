"""A cable between listener and broker that a test can cut or pull."""

import contextlib
import select
import socket
import struct
import threading
from types import TracebackType

ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER that ends a connection with a reset."""


class Proxy:
    """Carries TCP connections from `port` to another port of this machine, in one thread.

    While `refuses`, a new connection is closed at once.
    """

    def __init__(self, target: int) -> None:
        self.refuses = False
        self.accepted = 0
        self._target = target
        self._other: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        self._to_cut: list[socket.socket] = []
        self._opened: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._is_open = True
        self._thread = threading.Thread(target=self._run, daemon=True)

    def cut(self) -> None:
        """Reset the connections there are."""
        self._to_cut = list(self._clients)

    def lose(self, to_broker: bool, to_client: bool) -> None:
        """From now on nothing more comes through on the connections there are, not even their end.

        Both ends go on believing in them, as with a dead router between. New connections work.
        """
        for client in list(self._clients):
            self._lost |= {client} if to_broker else set()
            self._lost |= {self._other[client]} if to_client else set()

    def _run(self) -> None:
        while self._is_open:
            readable, _, _ = select.select([self._door, *self._other], [], [], 0.02)
            while self._to_cut:
                self._drop(self._to_cut.pop(), abort=True)
            for end in readable:
                if end is self._door:
                    self._accept()
                elif end in self._other:
                    self._carry(end)

    def _accept(self) -> None:
        client, _ = self._door.accept()
        if self.refuses:
            client.close()
            return
        try:
            broker = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        self.accepted += 1
        self._opened += [client, broker]
        self._other |= {client: broker, broker: client}
        self._clients.add(client)

    def _carry(self, end: socket.socket) -> None:
        try:
            data = end.recv(65536)
            if data and end not in self._lost:
                self._other[end].sendall(data)
        except OSError:
            data = b""
        if not data and end in self._lost:
            del self._other[end]
            self._clients.discard(end)
        elif not data:
            self._drop(end)

    def _drop(self, end: socket.socket, abort: bool = False) -> None:
        other = self._other.pop(end, None)
        for each in filter(None, (end, other)):
            self._other.pop(each, None)
            self._clients.discard(each)
            if abort:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            each.close()

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._is_open = False
        self._thread.join()
        for end in [self._door, *self._opened]:
            with contextlib.suppress(OSError):
                end.close()
