"""The session with the broker: connect, subscribe, receive, acknowledge. The only paho code of ingest."""

import datetime as dt
import logging
import select
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from metering.ingest.batch import Batch
from metering.ingest.delivery import Delivery

log = logging.getLogger("riser.listener")

QOS = 1
KEEPALIVE_SECONDS = 60
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
# Refusals that trying again cannot mend: wrong protocol, client id, user or password, not authorised.
FINAL_REFUSALS = {"Unsupported protocol version", "Client identifier not valid", "Bad user name or password"}
FINAL_REFUSALS |= {"Not authorized"}


class BrokerRefused(Exception):
    """The broker will not have this listener; somebody must change the settings."""


def build_client(client_id: str, username: str, password: str, ca_file: str | None) -> mqtt.Client:
    """A client with a persistent session that acknowledges only when told to. `ca_file` None: no TLS."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=False,
        protocol=mqtt.MQTTv311,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_SECONDS
    if username:
        client.username_pw_set(username, password)
    if ca_file is not None:
        client.tls_set_context(ssl.create_default_context(cafile=ca_file or None))
    return client


class Listener:
    """One thread's hold on the broker. Callbacks only take notes; nothing is stored in them."""

    def __init__(
        self,
        client: mqtt.Client,
        host: str,
        port: int,
        filters: Iterable[str],
        clock: Callable[[], float],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._client = client
        self._host = host
        self._port = port
        self._filters = list(filters)
        self._clock = clock
        self._now = now
        self._connection = 0
        self._lost_session_at = 0
        self._alive = False
        self._connected = False
        self._refusal = ""
        self._delay = FIRST_DELAY_SECONDS
        self._try_at = 0.0
        self._answer_by: float | None = None
        self._trouble: str | None = None
        self._batch: Batch[Delivery] | None = None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted the session."""
        return self._connected

    @property
    def connection(self) -> int:
        """Counts connections. A packet id means nothing on another one."""
        return self._connection

    @property
    def lost_session_at(self) -> int:
        """The connection that began with the broker knowing nothing of earlier ones."""
        return self._lost_session_at

    def receive(self, batch: Batch[Delivery], timeout: float) -> None:
        """Read into the batch what the broker has, waiting for it up to `timeout` seconds.

        Comes back as soon as the socket has nothing more to give, or the batch is due. Connects
        where there is no connection. Raises BrokerRefused where trying again is of no use.
        """
        if not self._alive and not self._connect(timeout):
            return
        self._batch = batch
        while not batch.is_overfull and self._is_readable(timeout):
            self._check(self._client.loop_read())
            if batch.is_due or not self._alive:
                break
            timeout = 0.0
        self._keep_alive()
        if self._refusal:
            raise BrokerRefused(self._refusal)

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Tell the broker that these are stored, in order of receipt, on the connection they came by."""
        for delivery in deliveries:
            if delivery.qos and delivery.connection == self._connection and self._connected:
                self._client.ack(delivery.packet_id, delivery.qos)

    def subscribe_to(self, topics: Iterable[str]) -> None:
        """Subscribe to these topics as well, now and after every reconnection."""
        new = [topic for topic in topics if topic not in self._filters]
        self._filters += new
        if new and self._connected:
            self._client.subscribe([(topic, QOS) for topic in new])

    def close(self) -> None:
        """Send what is waiting to be sent and leave; the broker keeps the session."""
        while self._alive and self._client.want_write():
            if self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        self._client.disconnect()
        self._alive = self._connected = False

    def _connect(self, timeout: float) -> bool:
        """Try once the delay is over; False where there is still no connection after waiting for it."""
        wait = self._try_at - self._clock()
        if wait > 0:
            select.select([], [], [], min(wait, timeout))
            return False
        self._connection += 1
        try:
            self._client.connect(self._host, self._port, KEEPALIVE_SECONDS)
        except (OSError, ValueError) as error:
            self._lost(str(error))
            return False
        self._alive = True
        self._answer_by = self._clock() + ANSWER_SECONDS
        return True

    def _is_readable(self, timeout: float) -> bool:
        socket: Any = self._client.socket()
        if socket is None:
            self._check(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            return False
        if getattr(socket, "pending", int)() > 0:
            return True
        writing = [socket] if self._client.want_write() else []
        readable, writable, _ = select.select([socket], writing, [], timeout)
        if writable:
            self._check(self._client.loop_write())
        return bool(readable) and self._alive

    def _keep_alive(self) -> None:
        if self._alive:
            self._check(self._client.loop_misc())
        if self._answer_by is not None and self._clock() > self._answer_by:
            self._lost("the broker does not answer")

    def _check(self, result: MQTTErrorCode) -> None:
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS and self._alive and not self._refusal:
            self._lost(mqtt.error_string(result).rstrip("."))

    def _lost(self, reason: str) -> None:
        self._alive = False
        self._connected = False
        self._answer_by = None
        self._try_at = self._clock() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)
        if self._trouble is None:
            log.warning("no connection to the broker at %s:%s (%s): trying again", self._host, self._port, reason)
        self._trouble = reason

    def _on_connect(self, client: mqtt.Client, _data: Any, flags: Any, reason: ReasonCode, _props: Any) -> None:
        self._answer_by = None
        if reason.is_failure:
            if str(reason) in FINAL_REFUSALS:
                self._refusal = f"The broker at {self._host}:{self._port} refuses this listener: {reason}."
            return
        self._connected = True
        self._trouble = None
        self._delay = FIRST_DELAY_SECONDS
        if not flags.session_present:
            self._lost_session_at = self._connection
        log.info("connected to the broker at %s:%s", self._host, self._port)
        client.subscribe([(topic, QOS) for topic in self._filters])

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if self._connected and reason.is_failure:
            self._lost(str(reason))

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _props: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = f"The broker refuses the subscription to {', '.join(self._filters)}."

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\N{REPLACEMENT CHARACTER}"
        if self._batch is not None:
            self._batch.add(
                Delivery(
                    topic=topic,
                    payload=bytes(message.payload),
                    received_at=self._now(),
                    connection=self._connection,
                    packet_id=message.mid,
                    qos=message.qos,
                    is_redelivery=message.dup,
                    is_retained=message.retain,
                )
            )
