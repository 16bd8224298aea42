"""Word to systemd, as sd_notify(3) describes it: a datagram to the socket named in NOTIFY_SOCKET."""

import logging
import os
import socket

log = logging.getLogger("riser.listener")


def notify(state: str) -> None:
    """Send a state such as READY=1, WATCHDOG=1 or STATUS=text; nothing where systemd does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        try:
            datagrams.sendto(state.encode(), address)
        except OSError as error:
            # No reason to stop storing readings; systemd's watchdog acts where it matters.
            log.debug("systemd was not told %s: %s", state, error)
