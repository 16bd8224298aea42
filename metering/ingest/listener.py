"""The session with the broker: connect, subscribe, receive, acknowledge. The only paho code of ingest."""

import datetime as dt
import logging
import select
from collections.abc import Callable, Iterable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from metering.ingest.batch import Batch
from metering.ingest.delivery import Delivery
from metering.tls import explain, trusting

log = logging.getLogger("riser.listener")

QOS = 1
KEEPALIVE_SECONDS = 15
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
FAREWELL_SECONDS = 1.0
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
TOPICS_A_PACKET = 100
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
COARSE = dt.timedelta(seconds=1)
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
        client.tls_set_context(trusting(ca_file))
    return client


class Listener:
    """One thread's hold on the broker. Callbacks only take notes; nothing is stored in them."""

    def __init__(
        self,
        client: mqtt.Client,
        host: str,
        port: int,
        main_filter: str,
        clock: Callable[[], float],
        now: Callable[[], dt.datetime],
        share: str = "",
    ) -> None:
        self._client = client
        self._host = host
        self._port = port
        self._main_filter = main_filter
        self._share = f"$share/{share}/" if share else ""
        self._subscribed: set[str] = set()
        self._asked: dict[int, list[str]] = {}
        self._clock = clock
        self._now = now
        self._connection = 0
        self._lost_session_at = 0
        self._alive = self._connected = self._listening = False
        self._refusal = ""
        self._delay = FIRST_DELAY_SECONDS
        self._try_at = 0.0
        self._answer_by: float | None = None
        self._trouble: str | None = None
        self._batch: Batch[Delivery] | None = None
        self._last_receipt = EPOCH
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    @property
    def is_listening(self) -> bool:
        """Whether the broker has accepted the session and granted the subscription."""
        return self._listening

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
        if batch.is_overfull:
            select.select([], [], [], timeout)
        while not batch.is_overfull and self._is_readable(timeout):
            self._read_into(batch)
            if batch.is_due or not self._alive:
                break
            timeout = 0.0
        self._keep_alive()
        if self._refusal:
            raise BrokerRefused(self._refusal)

    def _read_into(self, batch: Batch[Delivery]) -> None:
        """Read packet after packet, without asking each time whether there is one, until none brings a message.

        One is read in any case: while the database is away the batch is due, and the broker still wants answers.
        """
        count = -1
        while len(batch) != count and self._alive:
            count = len(batch)
            self._check(self._client.loop_read())
            if batch.is_due:
                break

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Tell the broker that these are stored, in order of receipt, on the connection they came by."""
        for delivery in deliveries:
            if delivery.qos and delivery.connection == self._connection and self._connected:
                self._client.ack(delivery.packet_id, delivery.qos)

    def subscribe(self, own_topics: Iterable[str]) -> None:
        """Subscribe to the main filter and to meters' own topics, as far as that is not done yet.

        A topic that the main filter covers is left out, so that nothing comes twice.
        """
        if not self._connected:
            return
        own = {topic for topic in own_topics if not mqtt.topic_matches_sub(self._main_filter, topic)}
        wanted = {self._main_filter, *own}
        if gone := self._subscribed - wanted:
            self._client.unsubscribe([self._share + topic for topic in gone])
        # The main filter goes alone: trouble with a meter's topic must not touch the others.
        if self._main_filter not in self._subscribed:
            self._ask_for([self._main_filter])
        new = sorted(own - self._subscribed)
        for start in range(0, len(new), TOPICS_A_PACKET):
            self._ask_for(new[start : start + TOPICS_A_PACKET])
        self._subscribed = wanted

    def _ask_for(self, topics: list[str]) -> None:
        _, packet_id = self._client.subscribe([(self._share + topic, QOS) for topic in topics])
        if packet_id is not None:
            self._asked[packet_id] = topics

    def close(self) -> None:
        """Send what is waiting to be sent and leave; the broker keeps the session."""
        socket: Any = self._client.socket()
        give_up_at = self._clock() + FAREWELL_SECONDS
        while self._alive and self._client.want_write() and self._clock() < give_up_at:
            select.select([], [socket], [], FAREWELL_SECONDS)
            self._check(self._client.loop_write())
        self._client.disconnect()
        self._alive = self._connected = self._listening = False

    def _connect(self, timeout: float) -> bool:
        """Try once the delay is over; False where there is still no connection after waiting for it."""
        wait = self._try_at - self._clock()
        if wait > 0:
            select.select([], [], [], min(wait, timeout))
            return False
        self._connection += 1
        try:
            self._client.connect(self._host, self._port, KEEPALIVE_SECONDS)
        except OSError as error:
            self._lost(": ".join(filter(None, explain(error, self._host))).rstrip("."))
            return False
        except ValueError as error:
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
            # Before the broker's first answer; else it has spoken, and its port is the right one.
            hint = "" if self._answer_by is None else ", before it answered: does this port want TLS? See MQTT_TLS"
            self._lost(mqtt.error_string(result).rstrip(".") + hint)

    def _lost(self, reason: str) -> None:
        self._alive = self._connected = self._listening = False
        self._answer_by = None
        self._try_at = self._clock() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)
        if self._trouble is None:
            log.warning("no connection to the broker at %s:%s (%s): trying again", self._host, self._port, reason)
        self._trouble = reason

    def _on_connect(self, _client: mqtt.Client, _data: Any, flags: Any, reason: ReasonCode, _props: Any) -> None:
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
        self._subscribed = set()
        self._asked = {}

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if self._connected and reason.is_failure:
            self._lost("the broker went away" if reason == "Unspecified error" else str(reason))

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, packet_id: int, reasons: Any, _props: Any) -> None:
        topics = self._asked.pop(packet_id, [])
        refused = [topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure]
        if self._main_filter in refused:
            self._refusal = f"The broker refuses the subscription to {self._main_filter}."
        elif self._main_filter in topics:
            self._listening = True
            log.info("connected to the broker at %s:%s", self._host, self._port)
        elif refused:
            log.error("the broker refuses the subscription to %s: these meters are not heard", ", ".join(refused))

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
                    received_at=self._receipt(),
                    connection=self._connection,
                    packet_id=message.mid,
                    qos=message.qos,
                    is_redelivery=message.dup,
                    is_retained=message.retain,
                ),
                len(message.payload) + len(topic),
            )

    def _receipt(self) -> dt.datetime:
        """Now, but never the same instant twice, however coarse the clock; a clock set back is believed."""
        now = self._now()
        if now <= self._last_receipt and self._last_receipt - now < COARSE:
            now = self._last_receipt + MICROSECOND
        self._last_receipt = now
        return now
