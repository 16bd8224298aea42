"""Configurations that work worse than somebody might think."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from metering.ingest.topics import is_flat
from metering.tls import trusting


@register("mqtt")
def check_topic(**kwargs: Any) -> list[CheckMessage]:
    """A flat topic works, but the broker cannot keep apartments apart on it."""
    if not settings.MQTT_TOPIC:
        return [Error("MQTT_TOPIC is empty.", hint="Leave it out for electricity/+/floor/+.", id="metering.E001")]
    if not is_flat(settings.MQTT_TOPIC):
        return []
    return [
        checks.Warning(
            f"All meters publish to one topic, {settings.MQTT_TOPIC}: the broker cannot keep one apartment "
            "from writing readings for another.",
            hint="Let each meter publish to electricity/BUILDING/floor/APARTMENT with a login of its own.",
            id="metering.W001",
        )
    ]


@register("mqtt")
def check_authority(**kwargs: Any) -> list[CheckMessage]:
    """A file that cannot be read would be found out only when connecting."""
    if not settings.MQTT_TLS:
        return []
    try:
        trusting(settings.MQTT_CA_FILE)
    except OSError as error:
        return [
            Error(
                f"MQTT_CA_FILE={settings.MQTT_CA_FILE} cannot be used: {error}",
                hint="It must be a file in PEM format that the user who runs Riser may read.",
                id="metering.E002",
            )
        ]
    return []
