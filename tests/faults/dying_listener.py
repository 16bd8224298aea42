"""The listener's command, which kills itself at one moment of its work on a batch that is new to the database.

`python -m tests.faults.dying_listener before-commit|after-commit|acknowledging|acknowledged`
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import django


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stored() -> int:
    from metering.models import ListenerState

    return ListenerState.objects.values_list("stored", flat=True).first() or 0


class Death:
    """Comes when the batch in hand holds something that was not stored before."""

    def __init__(self, batches_before: int) -> None:
        self.batches_left = batches_before
        self.before = 0
        self.is_saving = False

    def is_due(self) -> bool:
        if stored() == self.before:
            return False
        self.batches_left -= 1
        return self.batches_left < 0


def before_commit() -> None:
    """The second new batch dies within its transaction, so that each run stores one."""
    from django.db.transaction import Atomic

    death, leave = Death(1), Atomic.__exit__

    def leaving(atomic: Atomic, kind: Any, *error: Any) -> Any:
        if death.is_saving and kind is None and death.is_due():
            die()
        return leave(atomic, kind, *error)

    watch_saving(death)
    Atomic.__exit__ = leaving


def after_commit() -> None:
    watch_saving(Death(0), after=die)


def acknowledging(share: float = 0.5) -> None:
    """This share of the batch is acknowledged."""
    from metering.ingest.listener import Listener

    death, acknowledge = Death(0), Listener.acknowledge

    def in_part(listener: Listener, deliveries: list[Any]) -> None:
        if not death.is_due():
            return acknowledge(listener, deliveries)
        acknowledge(listener, islice(deliveries, int(len(deliveries) * share)))
        return die()

    watch_saving(death)
    Listener.acknowledge = in_part


def watch_saving(death: Death, after: Callable[[], None] | None = None) -> None:
    from metering.ingest.store import DatabaseStore

    save = DatabaseStore.save

    def saving(store: DatabaseStore, batch: list[Any]) -> None:
        death.before, death.is_saving = stored(), True
        save(store, batch)
        death.is_saving = False
        if after and death.is_due():
            after()

    DatabaseStore.save = saving


def acknowledged() -> None:
    acknowledging(1.0)


MOMENTS = {
    "before-commit": before_commit,
    "after-commit": after_commit,
    "acknowledging": acknowledging,
    "acknowledged": acknowledged,
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command

    MOMENTS[sys.argv[1]]()
    call_command("mqtt_listen")


if __name__ == "__main__":
    main()
