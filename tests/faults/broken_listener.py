"""The listener's command with one part that fails: `python -m tests.faults.broken_listener PART`."""

import os
import sys
from typing import Any, NoReturn

import django


class BrokenOnPurpose(Exception):
    pass


def fail(*_: Any, **__: Any) -> NoReturn:
    raise BrokenOnPurpose


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command

    from metering.ingest.listener import Listener
    from metering.ingest.loop import Loop
    from metering.ingest.store import DatabaseStore

    parts = {"receive": Listener, "subscribe": Listener, "acknowledge": Listener, "_on_message": Listener,
             "_on_connect": Listener, "_on_subscribe": Listener, "decode": Loop, "save": DatabaseStore,
             "beat": DatabaseStore, "forget_before": DatabaseStore, "meter_topics": DatabaseStore}  # fmt: skip
    setattr(parts[sys.argv[1]], sys.argv[1], fail)
    call_command("mqtt_listen")


if __name__ == "__main__":
    main()
