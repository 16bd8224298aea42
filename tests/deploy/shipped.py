"""mosquitto as deploy/ sets it up, and clients of it that may do anything a program on the network can."""

import shlex
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from tests.broker import Broker, answers, find, free_port
from tests.installation import PROJECT
from tests.waiting import wait_for

V311, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5
DEPLOY = PROJECT / "deploy"


def password_of(login: str) -> str:
    return f"the password of {login}"


def write_passwords(file: Path, *logins: str) -> None:
    """A password file for these logins, made by mosquitto's own tool as docs/install.md does it."""
    file.touch(mode=0o600)
    for login in logins:
        command = [find("mosquitto_passwd", "mosquitto"), "-b", str(file), login, password_of(login)]
        subprocess.run(command, check=True, capture_output=True)


def make_certificate(folder: Path, names: str, days: int = 3650) -> Path:
    """With the command of docs/install.md, for these names."""
    folder.mkdir(exist_ok=True)
    text = (PROJECT / "docs/install.md").read_text()
    command = text[text.index("openssl req -x509") : text.index("chown mosquitto")].replace("\\\n", "")
    command = replaced(command, "DNS:riser.example.org,IP:192.0.2.10", names)
    command = replaced(command, "-days 3650", f"-days {days}").replace("/etc/mosquitto/certs", str(folder))
    program, *arguments = shlex.split(command)
    subprocess.run([find(program, "openssl"), *arguments], check=True, capture_output=True)
    return folder / "riser.crt"


class ShippedBroker(Broker):
    """mosquitto from deploy/mosquitto.conf and deploy/mosquitto.acl: only ports and paths are other ones.

    `port` is the meters', `inner_port` the one for Riser's listener. With a folder of certificates the lines
    for TLS count as well, and `tls_port` and `inner_tls_port` are the same with TLS.
    """

    def __init__(self, folder: Path, passwords: Path, certificates: Path | None = None) -> None:
        super().__init__(folder)
        self.inner_port, self.tls_port, self.inner_tls_port = free_port(), free_port(), free_port()
        self._passwords = passwords
        self._certificates = certificates

    def settings(self) -> list[str]:
        rights = self.folder / "riser.acl"
        rights.write_text((DEPLOY / "mosquitto.acl").read_text())
        rights.chmod(0o600)
        text = (DEPLOY / "mosquitto.conf").read_text()
        if self._certificates:
            for word in ("listener ", "use_username_as_clientid ", "certfile ", "keyfile "):
                text = text.replace(f"\n#{word}", f"\n{word}")
            text = replaced(text, "\nlistener 8883\n", f"\nlistener {self.tls_port} 127.0.0.1\n")
            text = replaced(text, "\nlistener 8884\n", f"\nlistener {self.inner_tls_port} 127.0.0.1\n")
            text = text.replace("/etc/mosquitto/certs", str(self._certificates))
        text = replaced(text, "\nlistener 1883\n", f"\nlistener {self.port} 127.0.0.1\n")
        text = replaced(text, "\nlistener 1884 127.0.0.1\n", f"\nlistener {self.inner_port} 127.0.0.1\n")
        text = replaced(text, "/etc/mosquitto/riser.passwd", str(self._passwords))
        text = replaced(text, "/etc/mosquitto/riser.acl", str(rights))
        # What Debian's own mosquitto.conf says.
        return [f"persistence_location {self.folder}/", "log_dest stderr", "user root", text]

    def start(self) -> None:
        super().start()
        for port in [self.inner_port, *([self.tls_port, self.inner_tls_port] if self._certificates else [])]:
            wait_for(lambda port=port: answers(port), f"mosquitto answers on port {port}")


def replaced(text: str, old: str, new: str) -> str:
    """The text with its one `old` replaced; fails where deploy's files have changed, so that nothing goes untested."""
    assert text.count(old) == 1, f"not once in deploy/mosquitto.conf: {old!r}"
    return text.replace(old, new)


class Refused(Exception):
    """The broker does not let this client in."""


class Client:
    """One connection to a broker, in this thread. Keeps what it hears in `heard`, as topic and payload."""

    def __init__(
        self,
        port: int,
        login: str | None,
        name: str = "",
        *,
        password: str | None = None,
        clean: bool = True,
        protocol: MQTTProtocolVersion = V311,
        will: tuple[str, str] | None = None,
        is_bridge: bool = False,
        ca_file: str | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.heard: list[tuple[str, str]] = []
        self.session_present = False
        self._answers: dict[int | None, Any] = {}
        self._welcome: Any = None
        self._paho = paho = mqtt.Client(
            CallbackAPIVersion.VERSION2, name, protocol=protocol, clean_session=clean if protocol == V311 else None
        )
        if login is not None:
            paho.username_pw_set(login, password_of(login) if password is None else password)
        if will:
            paho.will_set(*will, qos=1, retain=True)
        if is_bridge:
            paho.enable_bridge_mode()
        if ca_file:
            paho.tls_set(ca_file)
        paho.on_connect, paho.on_message = self._on_connect, self._on_message
        paho.on_publish, paho.on_subscribe = self._on_publish, self._on_subscribe
        paho.on_unsubscribe = self._on_unsubscribe
        paho.connect(host, port, **({"clean_start": clean} if protocol == V5 else {}))
        self._until(lambda: self._welcome is not None or not self.is_connected, "an answer to CONNECT")
        if self._welcome is None or self._welcome.is_failure:
            raise Refused(str(self._welcome))

    @property
    def is_connected(self) -> bool:
        return self._paho.socket() is not None

    def publish(
        self, topic: str, payload: str, *, retain: bool = False, qos: int = 1, properties: Properties | None = None
    ) -> str:
        """What the broker says to it, after it has said it: with MQTT 3.1.1 always Success."""
        number = self._paho.publish(topic, payload, qos, retain, properties).mid
        return self._answer(number)

    def send(self, topic: bytes, payload: bytes = b"{}") -> str:
        """Publish to a topic that paho would not let out; whether the broker then still talks to us."""
        body = len(topic).to_bytes(2, "big") + topic + payload
        connection: Any = self._paho.socket()
        connection.sendall(b"\x30" + mqtt_length(len(body)) + body)
        return self.settle()

    def subscribe(self, topic_filter: str) -> str:
        """What the broker says to it; what was retained there has arrived by then."""
        _, number = self._paho.subscribe(topic_filter, 1)
        said = self._answer(number)
        self.settle()
        return said

    def settle(self) -> str:
        """Until everything has come that the broker had for this client, whose answers keep the order."""
        _, number = self._paho.unsubscribe("no/such/subscription")
        return self._answer(number)

    def hears(self, topic: str, payload: str) -> None:
        """Wait until this has come."""
        self._until(lambda: (topic, payload) in self.heard, f"{payload!r} on {topic}, heard {self.heard}")

    def vanish(self) -> None:
        """As with a cut cable: no farewell, so the broker publishes the will."""
        connection: Any = self._paho.socket()
        connection.shutdown(socket.SHUT_RDWR)
        self._until(lambda: not self.is_connected, "the connection has ended")

    def leave(self) -> None:
        self._paho.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_connected:
            self.leave()

    def _answer(self, number: int | None) -> str:
        self._until(lambda: number in self._answers or not self.is_connected, "an answer")
        return str(self._answers.pop(number, "disconnected"))

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        def happened() -> bool:
            self._paho.loop(0.02)
            return condition()

        wait_for(happened, what)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _props: Any) -> None:
        self._welcome, self.session_present = reason, flags.session_present

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload.decode()))

    def _on_publish(self, _client: Any, _data: Any, number: int, reason: Any, _props: Any) -> None:
        self._answers[number] = str(reason)

    def _on_subscribe(self, _client: Any, _data: Any, number: int, reasons: Any, _props: Any) -> None:
        self._answers[number] = str(reasons[0])

    def _on_unsubscribe(self, _client: Any, _data: Any, number: int, _reasons: Any, _props: Any) -> None:
        self._answers[number] = "Success"


def mqtt_length(number: int) -> bytes:
    """A length as MQTT writes it: seven bits a byte."""
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])
