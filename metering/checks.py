"""Configurations that work worse than somebody might think."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from metering.ingest.topics import is_flat


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
