"""A broker that lets everything through: other than mosquitto's, its topics may be any bytes."""

import contextlib
import socket
import threading
from collections.abc import Sequence
from types import TracebackType

CONNECT, PUBACK, SUBSCRIBE, PINGREQ = 0x10, 0x40, 0x82, 0xC0


class LooseBroker:
    """Sends these topics and payloads with QoS 1 to whoever subscribes first, and notes what is acknowledged."""

    def __init__(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        self.acknowledged: list[int] = []
        self._messages = messages
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        # The socket is closed at the end, on either side.
        with contextlib.suppress(OSError, EOFError):
            connection, _ = self._listening.accept()
            with connection, connection.makefile("rb") as incoming:
                while True:
                    self._answer(connection, incoming.read(1), incoming)

    def _answer(self, connection: socket.socket, kind: bytes, incoming) -> None:
        body = incoming.read(read_length(incoming))
        if kind[0] == CONNECT:
            connection.sendall(b"\x20\x02\x00\x00")
        elif kind[0] == SUBSCRIBE:
            connection.sendall(b"\x90\x03" + body[:2] + b"\x01")
            for number, (topic, payload) in enumerate(self._messages, start=1):
                connection.sendall(publish(number, topic, payload))
            self._messages = ()
        elif kind[0] == PUBACK:
            self.acknowledged.append(int.from_bytes(body, "big"))
        elif kind[0] == PINGREQ:
            connection.sendall(b"\xd0\x00")

    def __enter__(self) -> "LooseBroker":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._listening.close()


def read_length(incoming) -> int:
    """A length as MQTT writes it: seven bits a byte, the lowest first."""
    length = shift = 0
    while True:
        digit = incoming.read(1)
        if not digit:
            raise EOFError
        length |= (digit[0] & 127) << shift
        shift += 7
        if digit[0] < 128:
            return length


def publish(number: int, topic: bytes, payload: bytes) -> bytes:
    """A PUBLISH packet with QoS 1."""
    body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + payload
    length, digits = len(body), bytearray()
    while length > 127:
        digits.append(length & 127 | 128)
        length >>= 7
    return bytes([0x32, *digits, length]) + body
