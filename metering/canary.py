"""Sends messages to itself through the broker, to see how many the broker lets wait. For the doctor.

A broker may name a client after its login, whatever client id it asks for (mosquitto's
use_username_as_clientid). Then whoever logs in as the listener is the listener: a clean session would
erase the readings that wait for it, and what is received here would be missing there. So the first
connection never asks for a clean session, nothing is subscribed, received or erased before it is known
whose session it is, and only sessions under names made up here are ever erased.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from metering.tls import trusting

TOPIC = "riser/doctor"
QOS = 1
KEEPALIVE_SECONDS = 60
CONNECT_SECONDS = 3.0
# No answer for this long: there is none.
ANSWER_SECONDS = 5.0
# Nothing for this long: the broker waits for an acknowledgement, or has no more.
QUIET_SECONDS = 0.5
OUTGOING = 200
# One step towards the limit of what is in flight, and where to give that up.
STEP = 1000
MOST_IN_FLIGHT = 10_000
STEPS_SECONDS = 3.0
# So many must be able to wait for a client that is away: more than the 1000 that brokers are shipped with.
QUEUED = 2000


class Refused(Exception):
    """The broker does not let this login in."""


class NotOurs(Exception):
    """The session behind this login belongs to somebody else. It was left as it is."""


class Interrupted(Exception):
    """The broker, or another client of the same name, ended the connection, or an answer did not come."""


@dataclass(frozen=True)
class Account:
    """Where the broker is and how to log in there. `ca_file` None: no TLS."""

    host: str
    port: int
    username: str
    password: str
    ca_file: str | None


@dataclass(frozen=True)
class Echo:
    """What came back of `sent` messages.

    `in_flight`: how many came before any was acknowledged; as many as were sent means that no limit was
    met, and then the queue was not tried. `is_kept`: whether the broker kept the session while nobody
    was connected. `returned`: how many came back in the end, after an absence.
    """

    sent: int
    in_flight: int
    is_kept: bool
    returned: int


def send_canary(account: Account, is_own_login: bool) -> Echo:
    """Publish to oneself, be away, and count what the broker has kept.

    `is_own_login`: nobody but the doctor uses this login. Raises Refused, NotOurs, Interrupted or OSError.
    """
    name = _made_up_name()
    is_named_by_us = _names_are_ours(account, name, is_own_login)
    try:
        return _measure(account, name)
    finally:
        if is_named_by_us:
            _erase(account, name)


def _names_are_ours(account: Account, name: str, is_own_login: bool) -> bool:
    """Whether the broker knows a client by the name it gives. Leaves an empty session of that name.

    Two names nobody has used before: if a session is there already, it is that of the login.
    """
    first = _made_up_name()
    for fresh in (first, name):
        with Connection(account, fresh) as connection:
            if not connection.is_known:
                continue
            if not is_own_login:
                raise NotOurs
            return False
    _erase(account, first)
    return True


def _measure(account: Account, name: str) -> Echo:
    run = secrets.token_hex(8)
    with Connection(account, name, run) as connection:
        connection.subscribe()
        give_up_at = time.monotonic() + STEPS_SECONDS
        while connection.received == connection.published < MOST_IN_FLIGHT and time.monotonic() < give_up_at:
            connection.publish(STEP)
            connection.receive_all()
        in_flight = connection.received
        if 0 < in_flight < connection.published:
            # While a client is connected, mosquitto lets as many wait again as may be in flight, and the queue.
            connection.publish(2 * in_flight + QUEUED)
        sent = connection.published
    with Connection(account, name, run) as connection:
        is_kept = connection.is_known
        connection.acknowledges = True
        if is_kept and in_flight:
            connection.receive_all(sent)
        connection.unsubscribe()
        return Echo(sent, in_flight, is_kept, connection.received)


def _erase(account: Account, name: str) -> None:
    with Connection(account, name, is_clean=True):
        pass


def _made_up_name() -> str:
    return f"riser-doctor-{secrets.token_hex(4)}"


class Connection:
    """One connection, in this thread. Messages of another run of the doctor are taken and forgotten."""

    def __init__(self, account: Account, name: str, run: str = "", is_clean: bool = False) -> None:
        self._account = account
        self._run = run
        self._answer: ReasonCode | None = None
        self._is_connected = self._is_foreign = False
        self._answered: set[int | None] = set()
        self._denied = False
        self.published = self._confirmed = 0
        self._numbers: set[int] = set()
        self.is_known = False
        self.acknowledges = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=is_clean, manual_ack=True)
        self._client.connect_timeout = CONNECT_SECONDS
        self._client.max_inflight_messages_set(OUTGOING)
        if account.username:
            self._client.username_pw_set(account.username, account.password)
        if account.ca_file is not None:
            self._client.tls_set_context(trusting(account.ca_file))
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe

    def __enter__(self) -> Self:
        self._client.connect(self._account.host, self._account.port, KEEPALIVE_SECONDS)
        self._need(lambda: self._answer is not None)
        if self._answer is not None and self._answer.is_failure:
            raise Refused(str(self._answer))
        self._is_connected = True
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()

    def subscribe(self) -> None:
        """Raises Refused where the broker says no; many say yes and send nothing."""
        _, packet_id = self._client.subscribe(f"{TOPIC}/#", QOS)
        self._need(lambda: packet_id in self._answered)
        if self._denied:
            raise Refused(f"no subscription to {TOPIC}/#")

    def unsubscribe(self) -> None:
        _, packet_id = self._client.unsubscribe(f"{TOPIC}/#")
        self._need(lambda: packet_id in self._answered)

    @property
    def received(self) -> int:
        """How many different messages of this run have come."""
        return len(self._numbers)

    def publish(self, number: int) -> None:
        """Publish so many more; returns when the broker has acknowledged them."""
        first = self.published
        self.published += number
        for count in range(first, self.published):
            self._client.publish(f"{TOPIC}/{self._run}", str(count), QOS)
        self._need(lambda: self._confirmed, self.published)

    def receive_all(self, expected: int | None = None) -> None:
        """Wait for messages until as many came as expected, or as were published, or no more come."""
        expected = self.published if expected is None else expected
        self._reach(lambda: self.received, expected, QUIET_SECONDS)

    def _need(self, count: Callable[[], int], goal: int = 1) -> None:
        if not self._reach(count, goal, ANSWER_SECONDS):
            raise Interrupted("the broker does not answer")

    def _reach(self, count: Callable[[], int], goal: int, seconds: float) -> bool:
        """Exchange packets until the count is there; False where it stands still for so long."""
        reached, give_up_at = count(), time.monotonic() + seconds
        while reached < goal:
            left = give_up_at - time.monotonic()
            if left <= 0:
                return False
            result = self._client.loop(left)
            if self._is_foreign:
                raise NotOurs
            now = count()
            if now < goal and result != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise Interrupted(mqtt.error_string(result).rstrip("."))
            if now > reached:
                reached, give_up_at = now, time.monotonic() + seconds
        return True

    def _on_connect(self, _client: mqtt.Client, _data: Any, flags: Any, reason: Any, _props: Any) -> None:
        self._answer = reason
        self.is_known = flags.session_present

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if not mqtt.topic_matches_sub(f"{TOPIC}/#", message.topic):
            self._is_foreign = True
        elif message.topic != f"{TOPIC}/{self._run}":
            client.ack(message.mid, message.qos)
        else:
            self._numbers.add(int(message.payload))
            if self.acknowledges:
                client.ack(message.mid, message.qos)

    def _on_publish(self, *_: Any) -> None:
        self._confirmed += 1

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, packet_id: int, reasons: Any, _props: Any) -> None:
        self._denied = any(reason.is_failure for reason in reasons)
        self._answered.add(packet_id)

    def _on_unsubscribe(self, _client: mqtt.Client, _data: Any, packet_id: int, _reasons: Any, _props: Any) -> None:
        self._answered.add(packet_id)
