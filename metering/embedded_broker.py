"""An MQTT broker inside Python, for trying Riser out where there is none. On loopback only."""

import asyncio
import hmac
from dataclasses import dataclass

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

HOST = "127.0.0.1"


class DemoLogins(BaseAuthPlugin):
    """The listener logs in; meters may come without a name, but not under the listener's client id."""

    @dataclass
    class Config:
        """The listener's login."""

        username: str = ""
        password: str = ""
        client_id: str = ""

    async def authenticate(self, *, session: Session) -> bool:
        """Whether this client may connect."""
        if session.username:
            given = f"{session.username}\n{session.password or ''}".encode()
            return hmac.compare_digest(given, f"{self.config.username}\n{self.config.password}".encode())
        # amqtt keeps a session while its client is away unless the client is anonymous.
        session.is_anonymous = bool(self.config.username)
        return not self.config.username or session.client_id != self.config.client_id


class EmbeddedBroker(Broker):
    """amqtt, with two of its deviations from MQTT 3.1.1 mended."""

    async def _publish_session_retained_messages(self, session: Session) -> None:
        # What waited for an absent client is not a retained message; amqtt marks it as one (3.3.1.3).
        handler = self._get_handler(session)
        deliveries = []
        while handler and not session.retained_messages.empty():
            waited = await session.retained_messages.get()
            delivery = handler.mqtt_publish(waited.topic, waited.data, waited.qos, retain=False)
            deliveries.append(asyncio.create_task(delivery))
        if deliveries:
            await asyncio.wait(deliveries)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # On CONNECT amqtt offers a client the retained messages of everybody's subscriptions.
        subscribers = self._subscriptions.get(subscription[0], [])
        if any(subscriber.client_id == session.client_id for subscriber, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


def build_broker(port: int, username: str, password: str, client_id: str) -> EmbeddedBroker:
    """A broker on loopback, not yet started."""
    logins = {"username": username, "password": password, "client_id": client_id}
    config = BrokerConfig(
        listeners={"default": ListenerConfig(bind=f"{HOST}:{port}")},
        plugins={f"{DemoLogins.__module__}.{DemoLogins.__qualname__}": logins},
    )
    return EmbeddedBroker(config)
