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


LONGEST_DAYS, LONGEST_MONTHS = 36_500, 1200


@register("retention")
def check_retention(**kwargs: Any) -> list[CheckMessage]:
    """How long what is kept: a slip of the pen must not delete everything, nor keep it for ever."""
    limits = {
        "READING_RETENTION_DAYS": ("days", LONGEST_DAYS),
        "ERASE_READINGS_AFTER_MONTHS": ("months", LONGEST_MONTHS),
        "ERASE_BILLING_AFTER_MONTHS": ("months", LONGEST_MONTHS),
    }
    problems: list[CheckMessage] = [
        Error(
            f"{name} is {getattr(settings, name)}: it must be from 1 to {most} {unit}.",
            hint="Leave it out for the default.",
            id="metering.E003",
        )
        for name, (unit, most) in limits.items()
        if not 1 <= getattr(settings, name) <= most
    ]
    if not 1 <= settings.MAX_REJECTED_OF_ONE_TOPIC <= settings.MAX_REJECTED_MESSAGES / 10:
        problems.append(
            Error(
                "MAX_REJECTED_OF_ONE_TOPIC must be at least 1 and at most a tenth of MAX_REJECTED_MESSAGES.",
                hint="Else the refused messages of one meter push out those of the others.",
                id="metering.E005",
            )
        )
    if settings.ERASE_BILLING_AFTER_MONTHS < settings.ERASE_READINGS_AFTER_MONTHS:
        problems.append(
            Error(
                "ERASE_BILLING_AFTER_MONTHS is shorter than ERASE_READINGS_AFTER_MONTHS.",
                hint="Whose readings they are is known from the tenancy, so it cannot go before them.",
                id="metering.E004",
            )
        )
    return problems
