"""The broker: reachable, lets us in, keeps enough for a listener that is away."""

import re
import socket
from collections.abc import Iterator

from django.conf import settings

from metering.canary import TOPIC, Account, Echo, Interrupted, NotOurs, Refused, send_canary
from metering.doctor.finding import Finding
from metering.models import ListenerState
from metering.tls import explain, trusting

# As many as the listener stores in one transaction.
IN_FLIGHT = 1000
EXAMPLE = "see deploy/mosquitto.conf"
WELL_KNOWN = re.compile(r"(riser|listener|riser-listener)?-?[0-9]{0,3}")


def check_broker() -> Iterator[Finding]:
    """Whether something listens where the broker should be, and what became of messages sent through it."""
    place = f"{settings.MQTT_BROKER}:{settings.MQTT_PORT}"
    try:
        _knock()
    except OSError as error:
        trouble, remedy = explain(error, settings.MQTT_BROKER)
        remedy = remedy or "Start the broker, or correct MQTT_BROKER, MQTT_PORT, MQTT_TLS."
        yield Finding("broker", f"{place}: {trouble}", remedy)
        return
    yield Finding("broker", f"{place} answers")
    yield check_name()
    yield from check_canary()


def check_name() -> Finding:
    """Whether a stranger can guess the name under which readings wait at the broker."""
    subject = "broker, name of the listener"
    if WELL_KNOWN.fullmatch(settings.MQTT_CLIENT_ID):
        return Finding(
            subject,
            f"anybody can guess {settings.MQTT_CLIENT_ID}",
            "Add something random to MQTT_CLIENT_ID (step 3 of docs/install.md): who connects to the broker under this "
            "name may make it forget the readings that wait. First let the listener store what waits there now.",
        )
    return Finding(subject, "cannot be guessed")


def _knock() -> None:
    with socket.create_connection((settings.MQTT_BROKER, settings.MQTT_PORT), timeout=3) as plain:
        if settings.MQTT_TLS:
            context = trusting(settings.MQTT_CA_FILE)
            context.wrap_socket(plain, server_hostname=settings.MQTT_BROKER).close()


def check_canary() -> Iterator[Finding]:
    """Send messages through the broker and judge what comes back."""
    username = settings.MQTT_DOCTOR_USERNAME
    login = f"login {username}" if username else "login without a name"
    ca_file = settings.MQTT_CA_FILE if settings.MQTT_TLS else None
    account = Account(settings.MQTT_BROKER, settings.MQTT_PORT, username, settings.MQTT_DOCTOR_PASSWORD, ca_file)
    try:
        echo = send_canary(account, is_own_login())
    except Refused as refusal:
        yield Finding(
            f"broker, {login}",
            str(refusal),
            "Correct MQTT_USERNAME and MQTT_PASSWORD, or MQTT_DOCTOR_USERNAME and MQTT_DOCTOR_PASSWORD where given; "
            "is the login in the broker's password file?",
        )
    except NotOurs:
        yield Finding(
            f"broker, {login}",
            "limits not examined: to this broker, whoever has this login is the listener. Nothing was taken from it",
            "Give the doctor a login of its own: MQTT_DOCTOR_USERNAME, steps 3 and 5 of docs/install.md.",
        )
    except (Interrupted, OSError) as error:
        yield Finding(
            f"broker, {login}",
            f"the connection ended early: {error}",
            "Run this once more, one at a time; if it stays, look at the broker's log.",
        )
    else:
        yield Finding(f"broker, {login}", "may log in")
        yield from judge(echo, username)


def is_own_login() -> bool:
    """Whether the doctor's login is that of no listener."""
    listeners = {settings.MQTT_USERNAME, settings.MQTT_CLIENT_ID}
    listeners |= set(ListenerState.objects.values_list("name", flat=True))
    return settings.MQTT_DOCTOR_USERNAME not in listeners | {""}


def judge(echo: Echo, username: str) -> Iterator[Finding]:
    """What the canary's return says of the broker's limits."""
    if not echo.in_flight:
        user = f"`user {username}`, " if username else ""
        yield Finding(
            "broker, rights",
            f"none of {echo.sent} messages to {TOPIC}/ came back",
            f"Put into the broker's ACL: {user}`topic readwrite {TOPIC}/#`; then reload the broker.",
        )
        return
    unlimited = echo.in_flight == echo.sent
    yield Finding(
        "broker, messages in flight",
        f"{echo.in_flight}{' or more' if unlimited else ''}",
        ""
        if echo.in_flight >= IN_FLIGHT
        else f"Set max_inflight_messages to {IN_FLIGHT} or more ({EXAMPLE}): the listener waits for the broker.",
    )
    yield _judge_queue(echo, unlimited)


def _judge_queue(echo: Echo, unlimited: bool) -> Finding:
    subject = "broker, messages kept for a listener that is away"
    if echo.is_kept and echo.returned == echo.sent:
        # Mosquitto after 2.0.11 lets a connected client queue as many more as may be in flight.
        waited = echo.sent - 2 * echo.in_flight
        return Finding(subject, "all of those in flight; more were not tried" if unlimited else f"{waited} or more")
    state = f"{echo.returned} of {echo.sent}"
    if not echo.is_kept or unlimited:
        state += ": this broker forgets what was on its way"
        if settings.DEBUG:
            return Finding(subject, f"{state}. It will do for trying Riser out, not for real meters")
        return Finding(subject, state, f"Use a broker that keeps sessions, such as mosquitto ({EXAMPLE}).")
    return Finding(
        subject,
        state,
        f"Raise max_queued_messages and max_queued_bytes ({EXAMPLE}): the broker throws the rest away without a word.",
    )
