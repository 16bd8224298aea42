"""An MQTT broker inside Python, for trying Riser out where there is none. On loopback only."""

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
            return hmac.compare_digest(
                f"{session.username}\n{session.password or ''}", f"{self.config.username}\n{self.config.password}"
            )
        # amqtt keeps a session while its client is away unless the client is anonymous.
        session.is_anonymous = bool(self.config.username)
        return not self.config.username or session.client_id != self.config.client_id


class EmbeddedBroker(Broker):
    """amqtt, with retained messages only for those who subscribed to them."""

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
